//! How examples are varied: Demucs v2's augmentations and a mixing desk's, drawn from a seeded
//! generator per example.
//!
//! Tone, room, level, sign and sides belong to one part (a stem, or the rest of a partly labelled
//! song) and are applied before parts are added. What acts on a mixture, a compressor or a lossy
//! coder, is applied to all parts alike: it is a gain over time, or over time and frequency, that
//! follows from the mixture. The mixture is thus always the sum of its parts.

mod codec;
mod compressor;
pub(crate) mod equaliser;
mod room;

use anyhow::{Result, ensure};
use bunri_stream::Planar;
pub use codec::CodecConfig;
pub(crate) use codec::Coder;
pub use compressor::CompressorConfig;
pub use equaliser::EqualiserConfig;
use rand::{Rng, RngExt};
pub use room::RoomConfig;
use serde::{Deserialize, Serialize};

use super::pool::rms;
use super::repitch::RepitchConfig;
use crate::render::instruments::Stereo;

/// How stems are varied and put together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Share of examples whose stems come from different songs and places.
    pub remix: f64,
    /// Share of remixed stems that are left out, so that a model meets missing instruments.
    pub silence: f64,
    /// Share of the examples of songs with absent stems that get those from other songs: a voice
    /// over instrumental music. Parts of such examples have levels as if remixed.
    pub guest: f64,
    /// Swaps left and right of half of the stems.
    pub flip_channels: bool,
    /// Inverts half of the stems.
    pub flip_sign: bool,
    /// Each stem is multiplied by a factor drawn evenly from this range.
    pub scale: [f32; 2],
    /// Remixed stems are first brought to a level drawn evenly from this range of RMS in dBFS:
    /// songs of different sources differ too much in level to be added as they are.
    pub remix_level_dbfs: [f32; 2],
    /// Parts of an example that is not remixed slip against each other by up to this; Demucs has 1.
    pub shift_seconds: f64,
    /// Pitch and tempo.
    pub repitch: RepitchConfig,
    /// Tone of each part.
    pub equaliser: EqualiserConfig,
    /// A room around each part.
    pub room: RoomConfig,
    /// The mixture's dynamics.
    pub compressor: CompressorConfig,
    /// The mixture as a lossy coder leaves it.
    pub codec: CodecConfig,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            remix: 0.75,
            silence: 0.1,
            guest: 0.5,
            flip_channels: true,
            flip_sign: true,
            scale: [0.25, 1.25],
            remix_level_dbfs: [-30.0, -16.0],
            shift_seconds: 0.0,
            repitch: RepitchConfig::default(),
            equaliser: EqualiserConfig::default(),
            room: RoomConfig::default(),
            compressor: CompressorConfig::default(),
            codec: CodecConfig::default(),
        }
    }
}

impl AugmentConfig {
    /// Refuses what no example could be drawn with.
    ///
    /// # Errors
    /// The first field that cannot work, with its value.
    pub fn validate(&self) -> Result<()> {
        let shares = [
            ("remix", self.remix),
            ("silence", self.silence),
            ("guest", self.guest),
            ("repitch.probability", self.repitch.probability),
            ("equaliser.probability", self.equaliser.probability),
            ("room.probability", self.room.probability),
            ("compressor.probability", self.compressor.probability),
            ("codec.probability", self.codec.probability),
        ];
        for (name, share) in shares {
            ensure!(
                (0.0..=1.0).contains(&share),
                "augment.{name} is {share}, a share is within 0 to 1"
            );
        }
        let positive = [
            ("room.decay_seconds", self.room.decay_seconds),
            ("compressor.ratio", self.compressor.ratio),
            (
                "compressor.release_seconds",
                self.compressor.release_seconds,
            ),
            ("codec.cutoff_hz", self.codec.cutoff_hz),
        ];
        for (name, range) in positive {
            ensure!(
                range.iter().all(|&end| end > 0.0 && end.is_finite()),
                "augment.{name} is {range:?}, both must be above 0"
            );
        }
        ensure!(
            (0.0..=60.0).contains(&self.shift_seconds),
            "augment.shift_seconds is {}, expected 0 to 60",
            self.shift_seconds
        );
        ensure!(
            self.repitch.max_semitones >= 0,
            "augment.repitch.max_semitones is {}, expected 0 or more",
            self.repitch.max_semitones
        );
        Ok(())
    }

    /// Varies what acts on a mixture: its parts together, all of one shape.
    pub(super) fn apply_to_mixture(
        &self,
        parts: &mut [&mut Planar],
        rate_hz: u32,
        rng: &mut impl Rng,
    ) {
        self.compressor.apply(parts, rate_hz, rng);
        self.codec.apply(parts, rate_hz, rng);
    }

    /// Varies one part in place.
    pub(super) fn apply(
        &self,
        stem: &mut Planar,
        is_remixed: bool,
        rate_hz: u32,
        rng: &mut impl Rng,
    ) {
        self.equaliser.apply(stem, rate_hz, rng);
        self.room.apply(stem, rate_hz, rng);
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

/// The sum of parts of one shape.
fn sum(parts: &[&mut Planar]) -> Planar {
    let mut sum = Planar::default();
    for (index, part) in parts.iter().enumerate() {
        if index == 0 {
            sum.clone_from(part);
        } else {
            sum.add(part);
        }
    }
    sum
}

/// Two channels as the renderer has them.
fn stereo(audio: &Planar) -> Stereo {
    [audio.channel(0).to_vec(), audio.channel(1).to_vec()]
}

#[cfg(test)]
mod tests;
