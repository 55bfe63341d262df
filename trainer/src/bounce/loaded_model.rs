//! The model of a run, loaded once for all its files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bunri_model::{Checkpoint, DeviceChoice, Separator, SharedWeights, built_in_model};
use bunri_stream::{ModelSpec, StemModel};

/// A model on its device, and how it is cut into chunks.
pub(super) struct LoadedModel {
    weights: Arc<SharedWeights>,
    overlap: f64,
    spec: ModelSpec,
    description: String,
}

impl LoadedModel {
    /// Loads a checkpoint, or the built-in model, onto the device.
    ///
    /// # Errors
    /// No such device, a bad file, an overlap that the model cannot work with.
    pub(super) fn load(path: Option<&Path>, device: DeviceChoice, overlap: f64) -> Result<Self> {
        let device = device.resolve()?;
        let name = path.map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
        let checkpoint = match path {
            Some(path) => Checkpoint::load(path, device),
            None => {
                let bytes = built_in_model()
                    .context("this program was built without a model: choose one with --model")?;
                Checkpoint::from_bytes(bytes, device)
            }
        }
        .with_context(|| format!("model {name}"))?;
        let parameters: usize = checkpoint
            .network
            .parameters()
            .values()
            .map(|tensor| tensor.numel())
            .sum();
        let weights = Arc::new(SharedWeights::new(checkpoint.network));
        let spec = Separator::new(Arc::clone(&weights), overlap)?
            .spec()
            .clone();
        let seconds = |frames: usize| frames as f64 / f64::from(spec.rate_hz);
        let description = format!(
            "model {name} ({:.1} M parameters: {}) on {}, {} Hz; chunk {:.2} s, hop {:.2} s, \
             latency {:.2} s",
            parameters as f64 / 1e6,
            spec.stems.join(", "),
            device_name(device),
            spec.rate_hz,
            seconds(spec.chunk_frames),
            seconds(spec.hop_frames),
            seconds(spec.latency_frames()),
        );
        Ok(Self {
            weights,
            overlap,
            spec,
            description,
        })
    }

    /// What the model makes, and how it sees time.
    pub(super) fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// A new stream through the model.
    pub(super) fn separator(&self) -> Result<Separator> {
        Ok(Separator::new(Arc::clone(&self.weights), self.overlap)?)
    }

    /// One line: which model, where it runs, how it sees time.
    pub(super) fn description(&self) -> &str {
        &self.description
    }
}

fn device_name(device: tch::Device) -> String {
    match device {
        tch::Device::Cuda(index) => format!("cuda:{index}"),
        tch::Device::Cpu => "cpu".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}
