//! Any file that a user may choose as a model.

use std::path::Path;

use tch::{Device, Tensor};

use crate::checkpoint::{Checkpoint, CheckpointError, Provenance};
use crate::network::{Network, NetworkConfig, Trainable};
use crate::parameters::Parameters;
use crate::run::guarded;
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
}

impl LoadedModel {
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
            recipe: None,
        }
    }
}
