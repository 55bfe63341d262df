//! Pitch and tempo changed independently, as Demucs v2 augments its songs.

use anyhow::{Context, Result};
use bunri_stream::Planar;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};
use timestretch::{Backend, Parameters, PitchRatio, SessionConfig, TempoRate, render};

/// How often and how far; the defaults are v2's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepitchConfig {
    /// Share of stretches that are changed; 0 switches it off.
    pub probability: f64,
    /// Pitch moves by a whole number of semitones up to this, either way.
    pub max_semitones: i32,
    /// Standard deviation of the change of tempo, in percent.
    pub tempo_std_percent: f64,
    /// The largest change of tempo, either way, in percent.
    pub max_tempo_percent: f64,
}

impl Default for RepitchConfig {
    fn default() -> Self {
        Self {
            probability: 0.2,
            max_semitones: 2,
            tempo_std_percent: 5.0,
            max_tempo_percent: 12.0,
        }
    }
}

/// One change of pitch and tempo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repitch {
    semitones: f64,
    /// Source time per output time.
    tempo: f64,
}

impl RepitchConfig {
    /// Draws a change, or none.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> Option<Repitch> {
        if !rng.random_bool(self.probability) {
            return None;
        }
        let semitones = f64::from(rng.random_range(-self.max_semitones..=self.max_semitones));
        let spread = Normal::new(0.0, self.tempo_std_percent).ok()?;
        let limit = self.max_tempo_percent;
        let percent = spread.sample(rng).clamp(-limit, limit);
        Some(Repitch {
            semitones,
            tempo: 1.0 + percent / 100.0,
        })
    }
}

impl Repitch {
    /// Frames of a recording that become `frames` frames.
    #[must_use]
    pub fn source_frames(self, frames: usize) -> usize {
        /// The stretcher's hops round the length; a little more source makes up for it.
        const MARGIN_FRAMES: usize = 2048;
        (frames as f64 * self.tempo).ceil() as usize + MARGIN_FRAMES
    }

    /// Changes a stretch of audio (one or two channels) and cuts the result to `frames`.
    ///
    /// # Errors
    /// Audio that the stretcher refuses: other channel counts, rates outside 32 to 192 kHz.
    pub fn apply(self, audio: &Planar, rate_hz: u32, frames: usize) -> Result<Planar> {
        let channels = audio.channel_count();
        let mut interleaved = vec![0.0; channels * audio.frames()];
        for (index, channel) in audio.channels().enumerate() {
            for (frame, sample) in channel.iter().enumerate() {
                interleaved[frame * channels + index] = *sample;
            }
        }
        let parameters = Parameters {
            tempo: TempoRate::new(self.tempo)?,
            pitch: PitchRatio::from_semitones(self.semitones)?,
            ..Parameters::default()
        };
        let config = SessionConfig {
            source_sample_rate: rate_hz,
            output_sample_rate: rate_hz,
            channels,
            // The same arithmetic on every machine: examples are seeded.
            backend: Backend::Portable,
            parameters,
            ..SessionConfig::default()
        };
        let rendered = render(&interleaved, config)
            .with_context(|| format!("changing pitch and tempo by {self:?}"))?;
        let channel = |index: usize| {
            rendered
                .samples
                .iter()
                .skip(index)
                .step_by(channels)
                .copied()
        };
        let mut stretched = Planar::from_channels(
            (0..channels)
                .map(|index| channel(index).collect())
                .collect(),
        )
        .unwrap_or_default();
        stretched.resize_frames(frames);
        Ok(stretched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frequency of a sine from its zero crossings, in Hz.
    fn frequency(samples: &[f32], rate_hz: u32) -> f64 {
        let crossings = samples
            .windows(2)
            .filter(|pair| pair[0] <= 0.0 && pair[1] > 0.0)
            .count();
        crossings as f64 * f64::from(rate_hz) / samples.len() as f64
    }

    /// Guards against tempo and pitch being swapped, inverted or coupled.
    #[test]
    fn pitch_moves_alone_and_tempo_moves_alone() {
        let rate_hz = 44_100;
        let sine = |frames: usize| {
            let wave = |i| (i as f64 * 440.0 / 44_100.0 * std::f64::consts::TAU).sin() as f32 * 0.5;
            let channel: Vec<f32> = (0..frames).map(wave).collect();
            Planar::from_channels(vec![channel.clone(), channel]).unwrap()
        };
        for (semitones, tempo, expected_hz) in
            [(2.0, 1.0, 493.88), (0.0, 1.1, 440.0), (-2.0, 0.9, 392.0)]
        {
            let repitch = Repitch { semitones, tempo };
            let frames = 44_100;
            let out = repitch
                .apply(&sine(repitch.source_frames(frames)), rate_hz, frames)
                .unwrap();
            assert_eq!(out.frames(), frames);
            let middle = &out.channel(0)[8_000..36_000];
            let got = frequency(middle, rate_hz);
            assert!(
                (got / expected_hz - 1.0).abs() < 0.01,
                "{repitch:?}: {got} Hz, expected {expected_hz}"
            );
        }
    }
}
