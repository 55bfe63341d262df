//! The ideal ratio mask: what a separator that only scales the mixture's spectrum could reach if it
//! knew the answer.

use bunri_stream::Planar;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Length of a transform in frames, at 44.1 kHz 93 ms.
const WINDOW_FRAMES: usize = 4096;
/// Frames from one transform to the next.
const HOP_FRAMES: usize = 1024;
/// Spectral magnitudes below this are silence: there is nothing to share out.
const SILENT_MAGNITUDE: f32 = 1e-10;

/// Separates `mixture` with the ratio masks `|Sᵢ| / Σⱼ|Sⱼ|` of the true `sources`, one estimate per
/// source.
///
/// Every channel by itself; Hann windows of 4096 frames at hops of 1024 on both sides of the
/// transform, divided by the sum of their squares. Usually called IRM1 (sigsep's `IRM` oracle with
/// exponent 1). `sources` must be everything that sounds in the mixture: what is left out is shared
/// out among the others.
///
/// Panics if a source has another shape than the mixture.
#[must_use]
pub fn ideal_ratio_mask(mixture: &Planar, sources: &[&Planar]) -> Vec<Planar> {
    let frames = mixture.frames();
    for source in sources {
        assert_eq!(
            (source.channel_count(), source.frames()),
            (mixture.channel_count(), frames),
            "every source must have the mixture's shape"
        );
    }
    let mut transform = Transform::new();
    let mut estimates = vec![Planar::zeros(mixture.channel_count(), frames); sources.len()];
    for channel in 0..mixture.channel_count() {
        let channels: Vec<&[f32]> = sources
            .iter()
            .map(|source| source.channel(channel))
            .collect();
        let masked = transform.mask(mixture.channel(channel), &channels);
        for (estimate, masked) in estimates.iter_mut().zip(masked) {
            estimate.channel_mut(channel).copy_from_slice(&masked);
        }
    }
    estimates
}

/// The transform's plans and its window.
struct Transform {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>, // [WINDOW_FRAMES], periodic Hann
}

impl Transform {
    fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let step = std::f64::consts::TAU / WINDOW_FRAMES as f64;
        Self {
            forward: planner.plan_fft_forward(WINDOW_FRAMES),
            inverse: planner.plan_fft_inverse(WINDOW_FRAMES),
            window: (0..WINDOW_FRAMES)
                .map(|n| (0.5 - 0.5 * (step * n as f64).cos()) as f32)
                .collect(),
        }
    }

    /// One channel, window by window, so that memory does not grow with the number of transforms.
    fn mask(&mut self, mixture: &[f32], sources: &[&[f32]]) -> Vec<Vec<f32>> {
        // Zeros around the track give its first and last frames as many windows as all others.
        let lead = WINDOW_FRAMES - HOP_FRAMES;
        let hops = (mixture.len() + lead).div_ceil(HOP_FRAMES);
        let padded_frames = (hops - 1) * HOP_FRAMES + WINDOW_FRAMES;
        let mut masked = vec![vec![0.0; padded_frames]; sources.len()];
        let mut weight = vec![0.0; padded_frames];
        for start in (0..hops).map(|hop| hop * HOP_FRAMES) {
            let mix = self.spectrum(mixture, start, lead); // [WINDOW_FRAMES / 2 + 1]
            let magnitudes: Vec<Vec<f32>> = sources
                .iter()
                .map(|source| {
                    self.spectrum(source, start, lead)
                        .iter()
                        .map(|s| s.norm())
                        .collect()
                })
                .collect(); // [source][WINDOW_FRAMES / 2 + 1]
            let total: Vec<f32> = (0..mix.len())
                .map(|bin| magnitudes.iter().map(|magnitude| magnitude[bin]).sum())
                .collect();
            for (magnitude, out) in magnitudes.iter().zip(&mut masked) {
                let mut spectrum: Vec<Complex<f32>> = (0..mix.len())
                    .map(|bin| mix[bin] * (magnitude[bin] / total[bin].max(SILENT_MAGNITUDE)))
                    .collect();
                self.add_back(&mut spectrum, &mut out[start..start + WINDOW_FRAMES]);
            }
            for (sum, window) in weight[start..].iter_mut().zip(&self.window) {
                *sum += window * window;
            }
        }
        for out in &mut masked {
            for (sample, weight) in out.iter_mut().zip(&weight) {
                *sample /= weight.max(SILENT_MAGNITUDE);
            }
            out.drain(..lead);
            out.truncate(mixture.len());
        }
        masked
    }

    /// The spectrum of the window that starts at `start`, `lead` zeros before the track.
    fn spectrum(&self, track: &[f32], start: usize, lead: usize) -> Vec<Complex<f32>> {
        let mut windowed: Vec<f32> = (0..WINDOW_FRAMES)
            .map(|n| {
                let frame = (start + n).checked_sub(lead);
                frame
                    .and_then(|frame| track.get(frame))
                    .map_or(0.0, |s| s * self.window[n])
            })
            .collect();
        let mut spectrum = self.forward.make_output_vec();
        self.forward
            .process(&mut windowed, &mut spectrum)
            .expect("the buffers have the plan's own lengths");
        spectrum
    }

    /// Transforms back and adds the windowed result, scaled to undo the FFT's gain.
    fn add_back(&self, spectrum: &mut [Complex<f32>], out: &mut [f32]) {
        // The bins at 0 Hz and at half the sample rate are real but for rounding; the inverse
        // refuses anything else.
        for edge in [0, WINDOW_FRAMES / 2] {
            spectrum[edge].im = 0.0;
        }
        let mut windowed = self.inverse.make_output_vec();
        self.inverse
            .process(spectrum, &mut windowed)
            .expect("the buffers have the plan's own lengths");
        for ((out, sample), window) in out.iter_mut().zip(&windowed).zip(&self.window) {
            *out += sample * window / WINDOW_FRAMES as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::metrics::nsdr;

    fn tone(frames: usize, radians_per_frame: f32) -> Planar {
        let samples: Vec<f32> = (0..frames)
            .map(|n| 0.3 * (n as f32 * radians_per_frame).sin())
            .collect();
        Planar::from_channels(vec![samples.clone(), samples]).unwrap()
    }

    #[test]
    fn one_source_alone_comes_back_whole_from_the_first_frame_to_the_last() {
        for frames in [1, 1000, 4096, 10_001] {
            let source = tone(frames, 0.05);
            let estimate = ideal_ratio_mask(&source, &[&source]);
            for (got, expected) in estimate[0].channel(1).iter().zip(source.channel(1)) {
                assert!(
                    (got - expected).abs() < 1e-5,
                    "{frames} frames: {got}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn tones_far_apart_are_taken_apart() {
        let (low, high) = (tone(20_000, 0.05), tone(20_000, 1.0));
        let mut mixture = low.clone();
        mixture.add(&high);
        let estimates = ideal_ratio_mask(&mixture, &[&low, &high]);
        assert!(
            nsdr(&low, &estimates[0]) > 30.0,
            "{}",
            nsdr(&low, &estimates[0])
        );
        assert!(
            nsdr(&high, &estimates[1]) > 30.0,
            "{}",
            nsdr(&high, &estimates[1])
        );
        let mut sum = estimates[0].clone();
        sum.add(&estimates[1]);
        assert!(
            nsdr(&mixture, &sum) > 80.0,
            "the masks share the mixture out completely"
        );
    }

    #[test]
    fn silence_stays_silence() {
        let silence = Planar::zeros(2, 5000);
        let estimates = ideal_ratio_mask(&silence, &[&silence, &silence]);
        assert_eq!(estimates, vec![silence.clone(), silence]);
    }
}
