//! Any model that a user may choose: a file, or one that comes with the product.

use std::path::Path;

use bunri_stream::BuiltIn;
use bunri_stream::engine::ModelSource;
use tch::{Device, Tensor};

use crate::built_in::built_in_model;
use crate::checkpoint::{Checkpoint, CheckpointError, Provenance};
use crate::network::{Network, NetworkConfig, Trainable};
use crate::parameters::Parameters;
use crate::run::{guarded, is_device_failure};
use crate::torch_script::{TorchScript, TorchScriptError};

/// A network ready to be streamed, with what its file says about it.
#[derive(Debug)]
pub struct LoadedModel {
    /// The network.
    pub network: Box<dyn Network>,
    /// Number of trained values, where the file tells.
    pub parameters: Option<usize>,
    /// Where its weights come from.
    pub provenance: Provenance,
    /// Licence of the weights.
    pub licence: String,
    /// What the user should know before trusting it.
    pub warning: Option<&'static str>,
    /// Why it is not on the device that was asked for; a sentence for the user.
    pub notice: Option<String>,
    /// How to build the network again, where its weights are known.
    pub(crate) recipe: Option<Recipe>,
}

/// Enough to build a network again on another device; the tensors are the network's own.
#[derive(Debug)]
pub(crate) struct Recipe {
    config: NetworkConfig,
    parameters: Parameters,
}

impl Recipe {
    /// The same network on `device`.
    ///
    /// # Errors
    /// Weights that can no longer be read, e.g. those of a lost device.
    pub(crate) fn build(&self, device: Device) -> Result<Box<dyn Network>, String> {
        let copies = guarded(|| {
            let copy = |(name, tensor): (&String, &Tensor)| {
                Ok((name.clone(), tensor.f_to_device(device)?))
            };
            self.parameters.iter().map(copy).collect()
        })?;
        let network = self.config.clone().build(copies, device);
        Ok(without_gradients(network.map_err(|e| e.to_string())?))
    }
}

/// What is said whenever a TorchScript model is loaded.
const TORCH_SCRIPT_WARNING: &str = "this is a TorchScript model: it contains code, which runs \
    with your rights; use it only if you trust where it came from";

/// Why a file could not be used as a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// A checkpoint that cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A TorchScript model that cannot be loaded.
    #[error(transparent)]
    TorchScript(#[from] TorchScriptError),
    /// The program was built without this model.
    #[error("this build has no {name} model of its own: choose a model file", name = .0.name())]
    NotBuiltIn(BuiltIn),
    /// libtorch refused what the file describes.
    #[error("the model cannot be built: {0}")]
    Broken(String),
    /// The device failed while the model was loading.
    #[error("{0}")]
    Device(String),
}

impl ModelFileError {
    /// Whether another device may do better.
    fn is_of_the_device(&self) -> bool {
        matches!(
            self,
            Self::Device(_) | Self::Checkpoint(CheckpointError::NoRoom(_))
        )
    }
}

impl LoadedModel {
    /// Loads a model where it was asked to be; on the CPU, with a [`notice`](Self::notice), if it has
    /// no room there.
    ///
    /// # Errors
    /// [`ModelFileError`], which says what is wrong with the file.
    pub fn open(source: &ModelSource, device: Device) -> Result<Self, ModelFileError> {
        match Self::open_on(source, device) {
            Err(error) if error.is_of_the_device() && device != Device::Cpu => {
                let notice = format!("separating on the CPU: {error}");
                let model = Self::open_on(source, Device::Cpu)?;
                Ok(Self {
                    notice: Some(notice),
                    ..model
                })
            }
            result => result,
        }
    }

    fn open_on(source: &ModelSource, device: Device) -> Result<Self, ModelFileError> {
        let load = || match source {
            ModelSource::File(path) => Self::load(path, device),
            ModelSource::BuiltIn(model) => {
                let bytes = built_in_model(*model).ok_or(ModelFileError::NotBuiltIn(*model))?;
                Ok(Checkpoint::from_bytes(bytes, device)?.into())
            }
        };
        match guarded(|| Ok(load())) {
            Ok(result) => result,
            Err(reason) if is_device_failure(&reason) => Err(ModelFileError::Device(reason)),
            Err(reason) => Err(ModelFileError::Broken(reason)),
        }
    }

    /// Size of the weights as they lie in memory, where that is known.
    #[must_use]
    pub fn weights_bytes(&self) -> Option<u64> {
        Some((self.parameters? * size_of::<f32>()) as u64)
    }

    /// Loads a checkpoint (`.safetensors`), or a TorchScript model by its description (`.toml`).
    ///
    /// # Errors
    /// [`ModelFileError`], which says what is wrong with the file.
    pub fn load(path: &Path, device: Device) -> Result<Self, ModelFileError> {
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            Ok(TorchScript::load(path, device)?.into())
        } else {
            Ok(Checkpoint::load(path, device)?.into())
        }
    }
}

impl From<Checkpoint> for LoadedModel {
    fn from(checkpoint: Checkpoint) -> Self {
        let Checkpoint {
            network,
            provenance,
            licence,
        } = checkpoint;
        let own = network.parameters().iter();
        let recipe = Recipe {
            config: network.config(),
            parameters: own
                .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
                .collect(),
        };
        Self {
            parameters: Some(recipe.parameters.values().map(Tensor::numel).sum()),
            recipe: Some(recipe),
            network: without_gradients(network),
            provenance,
            licence,
            warning: None,
            notice: None,
        }
    }
}

fn without_gradients(network: Box<dyn Trainable>) -> Box<dyn Network> {
    for tensor in network.parameters().values() {
        let _ = tensor.set_requires_grad(false);
    }
    network
}

impl From<TorchScript> for LoadedModel {
    fn from(model: TorchScript) -> Self {
        let description = model.description();
        Self {
            parameters: None,
            provenance: Provenance {
                data: description.data.clone(),
                ..Provenance::default()
            },
            licence: description.licence.clone(),
            network: Box::new(model),
            warning: Some(TORCH_SCRIPT_WARNING),
            notice: None,
            recipe: None,
        }
    }
}
