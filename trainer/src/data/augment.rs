//! Augmentations of Demucs v2, drawn from a seeded generator per example.

use bunri_stream::Planar;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::pool::rms;
use super::repitch::RepitchConfig;

/// How stems are varied and put together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Share of examples whose stems come from different songs and places.
    pub remix: f64,
    /// Share of remixed stems that are left out, so that a model meets missing instruments.
    pub silence: f64,
    /// Swaps left and right of half of the stems.
    pub flip_channels: bool,
    /// Inverts half of the stems.
    pub flip_sign: bool,
    /// Each stem is multiplied by a factor drawn evenly from this range.
    pub scale: [f32; 2],
    /// Remixed stems are first brought to a level drawn evenly from this range of RMS in dBFS:
    /// songs of different sources differ too much in level to be added as they are.
    pub remix_level_dbfs: [f32; 2],
    /// Pitch and tempo.
    pub repitch: RepitchConfig,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            remix: 0.75,
            silence: 0.1,
            flip_channels: true,
            flip_sign: true,
            scale: [0.25, 1.25],
            remix_level_dbfs: [-30.0, -16.0],
            repitch: RepitchConfig::default(),
        }
    }
}

impl AugmentConfig {
    /// Varies one stem in place.
    pub(super) fn apply(&self, stem: &mut Planar, is_remixed: bool, rng: &mut impl Rng) {
        let level = if is_remixed {
            level_gain(stem, self.remix_level_dbfs, rng)
        } else {
            1.0
        };
        let scale = if is_remixed {
            1.0
        } else {
            within(self.scale, rng)
        };
        let sign = if self.flip_sign && rng.random_bool(0.5) {
            -1.0
        } else {
            1.0
        };
        for channel in stem.channels_mut() {
            for sample in channel {
                *sample *= level * scale * sign;
            }
        }
        if self.flip_channels && rng.random_bool(0.5) {
            let mut channels = std::mem::take(stem).into_channels();
            channels.reverse();
            *stem = Planar::from_channels(channels).unwrap_or_default();
        }
    }
}

fn level_gain(stem: &Planar, range_dbfs: [f32; 2], rng: &mut impl Rng) -> f32 {
    /// Louder amplification would only bring up a recording's noise floor.
    const MAX_GAIN: f32 = 30.0;
    let target = 10f32.powf(within(range_dbfs, rng) / 20.0);
    (target / rms(stem).max(1e-6)).min(MAX_GAIN)
}

fn within([low, high]: [f32; 2], rng: &mut impl Rng) -> f32 {
    if high > low {
        rng.random_range(low..high)
    } else {
        low
    }
}
