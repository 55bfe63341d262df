//! Correlations of the references with each other and with the estimates, for all delays of a filter.

use std::thread;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;
use tch::Tensor;

use super::{Audio, TAPS, multiply_add};

/// Length of the transforms: long beside the filters, and short enough for the caches.
const FFT_FRAMES: usize = 8192;
/// Frames of a block: what is left of a transform when all delays have their room.
const BLOCK_FRAMES: usize = FFT_FRAMES - 2 * (TAPS - 1);
/// Frequencies of a transform.
const BINS: usize = FFT_FRAMES / 2 + 1;
/// From the longest delay of one signal to the longest of the other.
const DELAYS: usize = 2 * TAPS - 1;

/// The normal equations of all projections.
pub(super) struct Correlations {
    /// `[references * taps, references * taps]`: of every delayed reference with every other.
    pub(super) gram: Tensor,
    /// `[references * taps, estimates]`: of every delayed reference with every estimate.
    pub(super) with_estimates: Tensor,
}

impl Correlations {
    pub(super) fn new(audio: &Audio<'_>, threads: usize) -> Self {
        let half = audio.half;
        let pairs = pairs(half);
        let spectra = cross_spectra(audio, &pairs, threads);
        let correlations = inverse(spectra);
        // Where a pair's correlation begins, as (reference, any channel), and whether it is the other
        // way round.
        let found = |reference: usize, other: usize| {
            let swapped = other < half && other < reference;
            let pair = if swapped {
                (other, reference)
            } else {
                (reference, other)
            };
            let place = pairs.binary_search(&pair).unwrap_or_default();
            (&correlations[place * DELAYS..][..DELAYS], swapped)
        };
        // At `i`: the sum over t of reference(t + i - (TAPS - 1)) times the other channel's t.
        let forward = |reference: usize, other: usize| -> Vec<f64> {
            let (values, swapped) = found(reference, other);
            if swapped {
                values.iter().rev().copied().collect()
            } else {
                values.to_vec()
            }
        };
        let side = half * TAPS;
        let mut gram = vec![0.0; side * side];
        thread::scope(|scope| {
            for (reference, rows) in gram.chunks_mut(TAPS * side).enumerate() {
                let forward = &forward;
                scope.spawn(move || {
                    let of_others: Vec<_> = (0..half).map(|j| forward(reference, j)).collect();
                    for (delay, row) in rows.chunks_mut(side).enumerate() {
                        for (part, values) in row.chunks_mut(TAPS).zip(&of_others) {
                            part.copy_from_slice(&values[TAPS - 1 - delay..][..TAPS]);
                        }
                        // museval's little of the identity.
                        row[reference * TAPS + delay] += f64::EPSILON;
                    }
                });
            }
        });
        let mut with_estimates = vec![0.0; side * half];
        for reference in 0..half {
            for estimate in 0..half {
                let (values, _) = found(reference, half + estimate);
                for delay in 0..TAPS {
                    with_estimates[(reference * TAPS + delay) * half + estimate] =
                        values[TAPS - 1 - delay];
                }
            }
        }
        let shaped = |values: &[f64], width: usize| {
            Tensor::from_slice(values).reshape([side as i64, width as i64])
        };
        Self {
            gram: shaped(&gram, side),
            with_estimates: shaped(&with_estimates, half),
        }
    }
}

/// References with every channel, in order; of two references only one order, for the other is the
/// same back to front.
fn pairs(half: usize) -> Vec<(usize, usize)> {
    let of = |reference| (reference..2 * half).map(move |other| (reference, other));
    (0..half).flat_map(of).collect()
}

/// `[pair][bin]`, summed over the blocks of the whole track.
fn cross_spectra(audio: &Audio<'_>, pairs: &[(usize, usize)], threads: usize) -> Vec<Complex<f64>> {
    let blocks = audio.frames.div_ceil(BLOCK_FRAMES);
    let transform = RealFftPlanner::<f64>::new().plan_fft_forward(FFT_FRAMES);
    let part = |blocks: std::ops::Range<usize>| {
        let mut sums = vec![Complex::default(); pairs.len() * BINS];
        let mut input = transform.make_input_vec();
        let mut scratch = transform.make_scratch_vec();
        let mut spectra = |channels: std::ops::Range<usize>, start: isize, frames: usize| {
            let mut spectra = vec![Complex::default(); channels.len() * BINS];
            for (channel, spectrum) in channels.zip(spectra.chunks_mut(BINS)) {
                audio.read(channel, start, &mut input[..frames]);
                input[frames..].fill(0.0);
                // Only wrong lengths are refused.
                let _ = transform.process_with_scratch(&mut input, spectrum, &mut scratch);
            }
            spectra
        };
        for block in blocks {
            let start = (block * BLOCK_FRAMES) as isize;
            let mut near = spectra(0..2 * audio.half, start, BLOCK_FRAMES);
            near.iter_mut().for_each(|bin| *bin = bin.conj());
            let before = start - (TAPS as isize - 1);
            let far = spectra(0..audio.half, before, FFT_FRAMES);
            for ((reference, other), sum) in pairs.iter().zip(sums.chunks_mut(BINS)) {
                let (far, near) = (&far[reference * BINS..], &near[other * BINS..]);
                multiply_add(sum, &far[..BINS], &near[..BINS]);
            }
        }
        sums
    };
    let share = blocks.div_ceil(threads.max(1)).max(1);
    let parts: Vec<_> = thread::scope(|scope| {
        let part = &part;
        let running: Vec<_> = (0..blocks)
            .step_by(share)
            .map(|first| scope.spawn(move || part(first..(first + share).min(blocks))))
            .collect();
        let joined = running.into_iter().map(|thread| thread.join());
        joined
            .map(|sums| sums.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut parts = parts.into_iter();
    let mut sums = parts
        .next()
        .unwrap_or_else(|| vec![Complex::default(); pairs.len() * BINS]);
    for part in parts {
        sums.iter_mut()
            .zip(part)
            .for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// Back to delays: `[pair][DELAYS]`.
fn inverse(mut spectra: Vec<Complex<f64>>) -> Vec<f64> {
    let transform = RealFftPlanner::<f64>::new().plan_fft_inverse(FFT_FRAMES);
    let mut output = transform.make_output_vec();
    let mut correlations = Vec::with_capacity(spectra.len() / BINS * DELAYS);
    for spectrum in spectra.chunks_mut(BINS) {
        // Real signals have real sums there; rounding must not make the transform refuse them.
        spectrum[0].im = 0.0;
        spectrum[BINS - 1].im = 0.0;
        let _ = transform.process(spectrum, &mut output);
        let scaled = output[..DELAYS].iter().map(|x| x / FFT_FRAMES as f64);
        correlations.extend(scaled);
    }
    correlations
}
