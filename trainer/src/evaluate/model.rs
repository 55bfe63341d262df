//! The model under test: where it comes from, and whole tracks through it.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::{Context, Result};
use bunri_model::{Checkpoint, DeviceChoice, Provenance, Separator, SharedWeights, built_in_model};
use bunri_stream::{HostOptions, ModelSpec, OfflineSeparator, Planar, StemModel};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Names the model that comes with the program.
pub const DEFAULT: &str = "default";

/// What a report says about the model that it scores, so that the figures can be had again.
#[derive(Clone, Debug, Serialize)]
pub struct ModelCard {
    /// The file as given, or `default`.
    pub source: String,
    /// Of the file's bytes, in hexadecimal digits.
    pub sha256: String,
    /// Size of the file.
    pub bytes: usize,
    /// Licence of the weights.
    pub licence: String,
    /// What the checkpoint says about its training.
    pub provenance: Provenance,
    /// Rate, stems, and how the model was streamed.
    pub spec: ModelSpec,
    /// Where it ran.
    pub device: String,
    /// Share of each chunk that overlapped the next.
    pub overlap: f64,
    /// Whether the stems were made to add up to the mixture.
    pub consistency: bool,
}

/// A loaded model; every track gets a stream of its own.
#[derive(Debug)]
pub struct Model {
    weights: Arc<SharedWeights>,
    card: ModelCard,
}

impl Model {
    /// Reads a checkpoint file, or takes the model that comes with the program ([`DEFAULT`]).
    ///
    /// # Errors
    /// When the file is no model, the device is not there, or the overlap is impossible.
    pub fn load(
        source: &str,
        device: DeviceChoice,
        overlap: f64,
        consistency: bool,
    ) -> Result<Self> {
        let bytes: Cow<'static, [u8]> = if source == DEFAULT {
            let built_in = built_in_model().context(
                "this program was built without a default model: name a checkpoint file",
            )?;
            built_in.into()
        } else {
            std::fs::read(source)
                .with_context(|| format!("cannot read the model {source}"))?
                .into()
        };
        let device = device.resolve()?;
        let checkpoint = Checkpoint::from_bytes(&bytes, device)
            .with_context(|| format!("cannot load the model {source}"))?;
        let Checkpoint {
            network,
            provenance,
            licence,
        } = checkpoint;
        let weights = Arc::new(SharedWeights::new(network));
        let spec = Separator::new(Arc::clone(&weights), overlap)?
            .spec()
            .clone();
        let sha256 = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let card = ModelCard {
            source: source.to_owned(),
            sha256,
            bytes: bytes.len(),
            licence,
            provenance,
            spec,
            device: format!("{device:?}").to_lowercase(),
            overlap,
            consistency,
        };
        Ok(Self { weights, card })
    }

    /// What a report says about it.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Separates a whole track at `rate_hz`: one block per stem, in the spec's order, as long as the
    /// mixture. `progress` hears how many frames have gone in.
    ///
    /// # Errors
    /// When the rate cannot be converted, or the model fails.
    pub fn separate(
        &self,
        mixture: &Planar,
        rate_hz: u32,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<Planar>> {
        /// About six seconds: progress that moves, and no chunk is cut into many pieces.
        const BLOCK_FRAMES: usize = 1 << 18;
        let ModelCard {
            overlap,
            consistency,
            ..
        } = self.card;
        let model = Separator::new(Arc::clone(&self.weights), overlap)?;
        let mut separator = OfflineSeparator::new(model, rate_hz, HostOptions { consistency })?;
        let mut stems = Vec::new();
        let mut start = 0;
        while start < mixture.frames() {
            let frames = BLOCK_FRAMES.min(mixture.frames() - start);
            separator.push(&mixture.slice(start, frames), &mut stems)?;
            start += frames;
            progress(start);
        }
        separator.finish(&mut stems)?;
        Ok(stems)
    }
}
