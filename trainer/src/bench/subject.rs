//! What is measured: a model file, the built-in model, or a published size with new weights.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bunri_model::device::device_name;
use bunri_model::{
    Checkpoint, DeviceChoice, LoadedModel, NetworkConfig, Provenance, Separator, SharedWeights,
    Storage, published,
};
use bunri_stream::Mode;
use tch::Device;

use crate::model::{bytes_of, source_of};
use crate::output::eprint_line;
use crate::stream_args::StreamArgs;

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
    /// Loads a model as `--model` names it, or makes a published size with new weights.
    ///
    /// # Errors
    /// No such device, neither a file nor a known name, a file that is no model.
    pub fn load(source: &Path, device: DeviceChoice, stream: StreamArgs) -> Result<Self> {
        let name = source.display().to_string();
        let device = device.resolve()?;
        let config = source.to_str().and_then(published::config);
        let (model, checkpoint): (LoadedModel, _) = if let Some(config) = config {
            let new = new_checkpoint(config, device)?;
            let bytes = new.to_bytes(Storage::F32)?;
            (new.into(), Some(bytes))
        } else {
            let source = source_of(source, stream.mode());
            let model = LoadedModel::open(&source, device).with_context(|| {
                format!(
                    "model {name} (published sizes: {})",
                    published::NAMES.join(", ")
                )
            })?;
            let is_own = model.parameters.is_some();
            let bytes = is_own.then(|| bytes_of(&source)).transpose()?;
            (model, bytes.map(Cow::into_owned))
        };
        let model = model.in_precision(stream.precision)?;
        if let Some(notice) = &model.notice {
            eprint_line!("{name}: {notice}");
        }
        Ok(Self {
            name,
            device: device_name(model.network.device()),
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

    /// The device itself.
    pub(super) fn place(&self) -> Device {
        self.weights.network().device()
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
    /// A mode that the model cannot work in.
    pub fn separator(&self, mode: Mode) -> Result<Separator> {
        Ok(Separator::new(Arc::clone(&self.weights), mode)?)
    }

    /// The bytes of a checkpoint with these weights, of networks of our own.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&[u8]> {
        self.checkpoint.as_deref()
    }
}

fn new_checkpoint(config: NetworkConfig, device: Device) -> Result<Checkpoint> {
    Ok(Checkpoint {
        network: config.untrained(1, device)?,
        provenance: Provenance::default(),
        licence: "none: new weights".into(),
    })
}
