//! What lossy coders do to music, imitated: no bits are written.
//!
//! As in AAC, blocks of 1024 MDCT coefficients are cut off above a frequency and rounded, with steps
//! that follow each band's level. As the mixture's coefficients become smaller, larger or nothing,
//! so do all parts': every coefficient of every part is multiplied by the mixture's after rounding
//! over the mixture's before. The parts therefore still sum to the coded mixture, and each is what
//! it contributes to it. Holes that a coder leaves are holes in the stems: to fill them is not a
//! separator's business. Short blocks, joint stereo and bit reservoirs are not imitated.
//!
//! The transform picks its arithmetic by the processor: on another kind of machine the last bits of
//! a sample may differ.

use std::sync::Arc;

use bunri_stream::Planar;
use rand::{Rng, RngExt};
use rustdct::DctPlanner;
use rustdct::mdct::{Mdct, window_fn};
use serde::{Deserialize, Serialize};

use super::{sum, within};

/// How often and how badly; off where left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodecConfig {
    /// Share of examples that are coded.
    pub probability: f64,
    /// Nothing is left above a frequency drawn evenly from this range.
    pub cutoff_hz: [f32; 2],
    /// Noise of the rounding in each band, relative to the band: drawn evenly from this range, in
    /// dB. It is 6 dB more in the highest band, where coders save first.
    pub noise_db: [f32; 2],
}

impl Default for CodecConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            cutoff_hz: [11_000.0, 19_000.0],
            noise_db: [-24.0, -9.0],
        }
    }
}

/// Coefficients per block.
const BINS: usize = 1024;

/// Where bands begin, in coefficients: AAC's at 44.1 kHz (ISO/IEC 13818-7).
const BANDS: [usize; 50] = [
    0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 88, 96, 108, 120, 132, 144, 160,
    176, 196, 216, 240, 264, 292, 320, 352, 384, 416, 448, 480, 512, 544, 576, 608, 640, 672, 704,
    736, 768, 800, 832, 864, 896, 928, 1024,
];

impl CodecConfig {
    pub(super) fn apply(&self, parts: &mut [&mut Planar], rate_hz: u32, rng: &mut impl Rng) {
        if !rng.random_bool(self.probability) {
            return;
        }
        let coder = Coder {
            cutoff_hz: within(self.cutoff_hz, rng),
            noise_db: within(self.noise_db, rng),
        };
        coder.apply(parts, rate_hz);
    }
}

/// One setting of the coder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coder {
    /// Nothing is left above.
    pub(crate) cutoff_hz: f32,
    /// As in [`CodecConfig`].
    pub(crate) noise_db: f32,
}

impl Coder {
    /// Codes the mixture of these parts, which are of one shape.
    pub(crate) fn apply(self, parts: &mut [&mut Planar], rate_hz: u32) {
        let bins_per_hz = 2.0 * BINS as f32 / rate_hz as f32;
        let loss = Loss {
            kept_bins: ((self.cutoff_hz * bins_per_hz) as usize).min(BINS),
            noise_db: self.noise_db,
        };
        let transform = Transform::new();
        let mixture = sum(parts);
        for channel in 0..mixture.channel_count() {
            let gains: Vec<Vec<f32>> = transform
                .blocks(mixture.channel(channel))
                .iter()
                .map(|block| loss.gains(block))
                .collect();
            for part in parts.iter_mut() {
                let samples = part.channel_mut(channel);
                let mut blocks = transform.blocks(samples);
                for (block, gains) in blocks.iter_mut().zip(&gains) {
                    for (coefficient, gain) in block.iter_mut().zip(gains) {
                        *coefficient *= gain;
                    }
                }
                transform.back(&blocks, samples);
            }
        }
    }
}

/// How coarse the rounding is.
struct Loss {
    kept_bins: usize,
    noise_db: f32,
}

impl Loss {
    /// Each coefficient after rounding over the same before; within 0..2.
    fn gains(&self, block: &[f32]) -> Vec<f32> {
        let mut gains = vec![0.0; block.len()];
        let bands = BANDS.windows(2).enumerate();
        for (index, band) in bands {
            let range = band[0]..band[1].min(self.kept_bins);
            let Some(coefficients) = block.get(range.clone()).filter(|band| !band.is_empty())
            else {
                break;
            };
            let power: f32 = coefficients.iter().map(|x| x * x).sum();
            let level = (power / coefficients.len() as f32).sqrt();
            let noise_db = self.noise_db + 6.0 * index as f32 / (BANDS.len() - 2) as f32;
            // A step's rounding has the power step² / 12.
            let step = level * 12.0_f32.sqrt() * 10.0_f32.powf(noise_db / 20.0);
            if step <= 0.0 {
                continue;
            }
            for (gain, coefficient) in gains[range].iter_mut().zip(coefficients) {
                let rounded = (coefficient / step).round() * step;
                // What rounds to something is at least half a step: nothing is divided by zero.
                if rounded != 0.0 {
                    *gain = rounded / coefficient;
                }
            }
        }
        gains
    }
}

/// MDCT with a sine window, which gives back exactly what it was given.
struct Transform {
    mdct: Arc<dyn Mdct<f32>>,
}

impl Transform {
    fn new() -> Self {
        let mdct = DctPlanner::new().plan_mdct(BINS, window_fn::mp3_invertible);
        Self { mdct }
    }

    /// Overlapping blocks of coefficients; the first begins one block before the samples.
    fn blocks(&self, samples: &[f32]) -> Vec<Vec<f32>> {
        let count = samples.len().div_ceil(BINS) + 1;
        let mut padded = vec![0.0; (count + 1) * BINS];
        padded[BINS..BINS + samples.len()].copy_from_slice(samples);
        let mut scratch = vec![0.0; self.mdct.get_scratch_len()];
        (0..count)
            .map(|index| {
                let (first, second) = padded[index * BINS..(index + 2) * BINS].split_at(BINS);
                let mut block = vec![0.0; BINS];
                self.mdct
                    .process_mdct_with_scratch(first, second, &mut block, &mut scratch);
                block
            })
            .collect()
    }

    /// The samples of blocks.
    fn back(&self, blocks: &[Vec<f32>], samples: &mut [f32]) {
        let mut padded = vec![0.0; (blocks.len() + 1) * BINS];
        let mut scratch = vec![0.0; self.mdct.get_scratch_len()];
        for (index, block) in blocks.iter().enumerate() {
            let (first, second) = padded[index * BINS..(index + 2) * BINS].split_at_mut(BINS);
            self.mdct
                .process_imdct_with_scratch(block, first, second, &mut scratch);
        }
        samples.copy_from_slice(&padded[BINS..BINS + samples.len()]);
    }
}
