//! The mixing desk's last compressor: one gain over time for all parts.
//!
//! The gain follows from the mixture and multiplies every part, so the stems still sum to the
//! mixture, and each is what it contributes to it.

use bunri_stream::Planar;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{stereo, sum, within};
use crate::render::mix::effects::compression;

/// How often and how much; off where left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompressorConfig {
    /// Share of examples that are compressed.
    pub probability: f64,
    /// Where it sets in, below the mixture's peak: drawn evenly from this range, in dB.
    pub threshold_db: [f32; 2],
    /// Decibels in per decibel out above that: drawn evenly from this range.
    pub ratio: [f32; 2],
    /// Time to let go, drawn evenly from this range.
    pub release_seconds: [f32; 2],
}

impl Default for CompressorConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            threshold_db: [-20.0, -6.0],
            ratio: [1.5, 4.0],
            release_seconds: [0.05, 0.4],
        }
    }
}

impl CompressorConfig {
    pub(super) fn apply(&self, parts: &mut [&mut Planar], rate_hz: u32, rng: &mut impl Rng) {
        if !rng.random_bool(self.probability) {
            return;
        }
        let threshold_db = within(self.threshold_db, rng);
        let ratio = within(self.ratio, rng);
        let release_s = within(self.release_seconds, rng);
        let mixture = stereo(&sum(parts));
        let gains = compression(&mixture, rate_hz as f32, threshold_db, ratio, release_s);
        for channel in parts.iter_mut().flat_map(|part| part.channels_mut()) {
            for (sample, gain) in channel.iter_mut().zip(&gains) {
                *sample *= gain;
            }
        }
    }
}
