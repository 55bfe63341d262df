//! What is measured: a model file, the built-in model, or a published size with new weights.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bunri_model::device::device_name;
use bunri_model::{
    Checkpoint, DeviceChoice, LoadedModel, NetworkConfig, Provenance, Separator, SharedWeights,
    Storage, published,
};

use crate::model::{DEFAULT, default_bytes};

/// A model on a device.
#[derive(Debug)]
pub struct Subject {
    name: String,
    device: String,
    weights: Arc<SharedWeights>,
    parameters: Option<usize>,
    /// Of networks of our own: what a reference package needs to build the same.
    checkpoint: Option<Vec<u8>>,
}

impl Subject {
    /// Loads a model file or `default`, or makes a published size with new weights.
    ///
    /// # Errors
    /// No such device, neither a file nor a known name, a file that is no model.
    pub fn load(source: &Path, device: DeviceChoice) -> Result<Self> {
        let name = source.display().to_string();
        let device = device.resolve()?;
        let mut checkpoint = None;
        let config = source.to_str().and_then(published::config);
        let model: LoadedModel = if let Some(config) = config {
            let new = new_checkpoint(config, device)?;
            checkpoint = Some(new.to_bytes(Storage::F32)?);
            new.into()
        } else if source == Path::new(DEFAULT) {
            let bytes = default_bytes()?;
            checkpoint = Some(bytes.to_vec());
            Checkpoint::from_bytes(bytes, device)?.into()
        } else {
            if source.extension().is_some_and(|end| end == "safetensors") {
                let bytes = std::fs::read(source).with_context(|| format!("model {name}"))?;
                checkpoint = Some(bytes);
            }
            LoadedModel::load(source, device).with_context(|| {
                format!(
                    "model {name} (published sizes: {})",
                    published::NAMES.join(", ")
                )
            })?
        };
        Ok(Self {
            name,
            device: device_name(device),
            parameters: model.parameters,
            weights: Arc::new(model.into()),
            checkpoint,
        })
    }

    /// The model, as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it runs.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Number of trained values, where the file tells.
    #[must_use]
    pub fn parameters(&self) -> Option<usize> {
        self.parameters
    }

    /// The weights that all streams share.
    #[must_use]
    pub fn weights(&self) -> &SharedWeights {
        &self.weights
    }

    /// A new stream.
    ///
    /// # Errors
    /// An overlap that the model cannot work with.
    pub fn separator(&self, overlap: f64) -> Result<Separator> {
        Ok(Separator::new(Arc::clone(&self.weights), overlap)?)
    }

    /// The bytes of a checkpoint with these weights, of networks of our own.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&[u8]> {
        self.checkpoint.as_deref()
    }
}

fn new_checkpoint(config: NetworkConfig, device: tch::Device) -> Result<Checkpoint> {
    Ok(Checkpoint {
        network: config.untrained(1, device)?,
        provenance: Provenance::default(),
        licence: "none: new weights".into(),
    })
}
