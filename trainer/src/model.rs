//! The model of a command: where it comes from, and streams through it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bunri_model::device::device_name;
use bunri_model::{
    Checkpoint, DeviceChoice, LoadedModel, Provenance, Separator, SharedWeights, built_in_model,
};
use bunri_stream::{ModelSpec, StemModel};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Names the model that comes with the program.
pub const DEFAULT: &str = "default";

/// What a report says about the model that it speaks of, so that the figures can be had again.
#[derive(Clone, Debug, Serialize)]
pub struct ModelCard {
    /// The file as given, or `default`.
    pub source: String,
    /// Of the file's bytes, in hexadecimal digits.
    pub sha256: String,
    /// Size of the file.
    pub bytes: usize,
    /// Number of trained values, where the file tells.
    pub parameters: Option<usize>,
    /// Licence of the weights.
    pub licence: String,
    /// What the file says about its training.
    pub provenance: Provenance,
    /// Rate, stems, and how the model is streamed.
    pub spec: ModelSpec,
    /// Where it runs.
    pub device: String,
    /// Share of each chunk that overlaps the next.
    pub overlap: f64,
}

/// A model on its device, loaded once for all its streams.
#[derive(Debug)]
pub struct Model {
    weights: Arc<SharedWeights>,
    source: PathBuf,
    parameters: Option<usize>,
    licence: String,
    provenance: Provenance,
    spec: ModelSpec,
    device: String,
    overlap: f64,
}

impl Model {
    /// Loads a model file, or the model that comes with the program ([`DEFAULT`]); warns on
    /// standard error where the file deserves it.
    ///
    /// # Errors
    /// When the file is no model, the device is not there, or the overlap is impossible.
    pub fn load(source: &Path, device: DeviceChoice, overlap: f64) -> Result<Self> {
        let device = device.resolve()?;
        let name = source.display();
        let model: LoadedModel = if source == Path::new(DEFAULT) {
            let checkpoint = Checkpoint::from_bytes(default_bytes()?, device);
            checkpoint.context("the built-in model")?.into()
        } else {
            LoadedModel::load(source, device).with_context(|| format!("model {name}"))?
        };
        if let Some(warning) = model.warning {
            eprintln!("warning: {name}: {warning}");
        }
        let parameters = model.parameters;
        let (provenance, licence) = (model.provenance.clone(), model.licence.clone());
        let weights: Arc<SharedWeights> = Arc::new(model.into());
        let spec = Separator::new(Arc::clone(&weights), overlap)?
            .spec()
            .clone();
        Ok(Self {
            weights,
            source: source.to_owned(),
            parameters,
            licence,
            provenance,
            spec,
            device: device_name(device),
            overlap,
        })
    }

    /// What a report says about it. Reads the file again, for its hash.
    ///
    /// # Errors
    /// A file that can no longer be read.
    pub fn card(&self) -> Result<ModelCard> {
        let source = self.source.display().to_string();
        let bytes: Cow<'static, [u8]> = if source == DEFAULT {
            default_bytes()?.into()
        } else {
            let bytes = std::fs::read(&self.source);
            bytes.with_context(|| format!("model {source}"))?.into()
        };
        Ok(ModelCard {
            source,
            sha256: sha256_of(&bytes),
            bytes: bytes.len(),
            parameters: self.parameters,
            licence: self.licence.clone(),
            provenance: self.provenance.clone(),
            spec: self.spec.clone(),
            device: self.device.clone(),
            overlap: self.overlap,
        })
    }

    /// What it makes, and how it sees time.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// A new stream through it.
    ///
    /// # Errors
    /// None that [`load`](Self::load) did not have.
    pub fn separator(&self) -> Result<Separator> {
        Ok(Separator::new(Arc::clone(&self.weights), self.overlap)?)
    }

    /// What became of the device, if it failed; a sentence for the user.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.weights.notice()
    }

    /// One line: which model, where it runs, how it sees time.
    #[must_use]
    pub fn description(&self) -> String {
        let Self {
            source,
            parameters,
            spec,
            device,
            ..
        } = self;
        let source = source.display();
        let seconds = |frames: usize| frames as f64 / f64::from(spec.rate_hz);
        let size = parameters.map_or_else(String::new, |parameters| {
            format!("{:.1} M parameters: ", parameters as f64 / 1e6)
        });
        format!(
            "model {source} ({size}{}) on {device}, {} Hz; chunk {:.2} s, hop {:.2} s, latency \
             {:.2} s",
            spec.stems.join(", "),
            spec.rate_hz,
            seconds(spec.chunk_frames),
            seconds(spec.hop_frames),
            seconds(spec.latency_frames()),
        )
    }
}

/// The bytes of the model that comes with the program.
///
/// # Errors
/// If it was built without one.
pub fn default_bytes() -> Result<&'static [u8]> {
    built_in_model().context("this program was built without a model: choose a model file")
}

fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
