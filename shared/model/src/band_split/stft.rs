//! Spectra with narrow bins and little delay: a long analysis window, a short synthesis one.
//!
//! After Mauler and Martin, *A Low Delay, Variable Resolution, Perfect Reconstruction Spectral
//! Analysis-Synthesis System for Speech Enhancement* (2007). Analysis sees `window` frames, rising
//! slowly and falling within the newest hop. Synthesis keeps the newest two hops of a spectrum's
//! frames. The product of both is a Hann window of two hops, and those add up to one.

use std::f64::consts::FRAC_PI_2;

use tch::{Device, Tensor};

use crate::causal::Carry;

/// Both windows, on the model's device.
#[derive(Debug)]
pub(super) struct Stft {
    analysis: Tensor,  // [window]
    synthesis: Tensor, // [2 * hop, 1]
    window: i64,
    hop: i64,
}

impl Stft {
    pub(super) fn new(window: usize, hop: usize, device: Device) -> Self {
        // Middles of frames, so that the windows are symmetric and nowhere zero.
        let rise =
            |frame: usize, length: usize| ((frame as f64 + 0.5) / length as f64 * FRAC_PI_2).sin();
        let long = window - hop;
        let falling = (0..hop).rev();
        let analysis: Vec<f64> = (0..long)
            .map(|frame| rise(frame, long))
            .chain(falling.map(|frame| rise(frame, hop)))
            .collect();
        // White noise keeps its power per value, so that bins are of the size that layers expect.
        let scale = analysis.iter().map(|w| w * w).sum::<f64>().sqrt();
        let hann = (0..hop)
            .chain((0..hop).rev())
            .map(|frame| rise(frame, hop).powi(2));
        let newest = &analysis[window - 2 * hop..];
        let synthesis: Vec<f32> = hann
            .zip(newest)
            .map(|(hann, analysis)| (hann / analysis * scale) as f32)
            .collect();
        let analysis: Vec<f32> = analysis.iter().map(|w| (w / scale) as f32).collect();
        Self {
            analysis: Tensor::from_slice(&analysis).to_device(device),
            synthesis: Tensor::from_slice(&synthesis)
                .unsqueeze(1)
                .to_device(device),
            window: window as i64,
            hop: hop as i64,
        }
    }

    /// One piece: the frames that the next window sees again.
    pub(super) fn analysis_state_shape(window: usize, hop: usize, channels: usize) -> Vec<i64> {
        vec![channels as i64, (window - hop) as i64]
    }

    /// One piece: the second halves that the next hop is added to.
    pub(super) fn synthesis_state_shape(hop: usize, outputs: usize) -> Vec<i64> {
        vec![1, hop as i64, outputs as i64]
    }

    /// `[batch, channels, spectra * hop]` → complex `[batch, spectra, bins, channels]`.
    pub(super) fn analyse(&self, carry: &mut Carry, x: &Tensor) -> Tensor {
        let windows = carry.with_past(x, 2).unfold(2, self.window, self.hop) * &self.analysis;
        windows
            .fft_rfft(None, 3, "backward") // [batch, channels, spectra, bins]
            .permute([0, 2, 3, 1])
    }

    /// Complex `[batch, spectra, outputs, bins]` → `[batch, spectra * hop, outputs]`, a hop later.
    pub(super) fn synthesise(&self, carry: &mut Carry, spectra: &Tensor) -> Tensor {
        let frames = spectra
            .fft_irfft(self.window, 3, "backward") // [batch, spectra, outputs, window]
            .narrow(3, self.window - 2 * self.hop, 2 * self.hop)
            .transpose(2, 3)
            * &self.synthesis; // [batch, spectra, 2 * hop, outputs]
        let first = frames.narrow(2, 0, self.hop);
        let second = frames.narrow(2, self.hop, self.hop);
        (first + carry.delayed(&second, 1)).flatten(1, 2)
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::causal::silence;

    /// Guards both windows: what is analysed and synthesised is the input, one hop later.
    #[test]
    fn spectra_become_the_input_again() {
        for (window, hop) in [(16, 8), (32, 4), (22, 5), (2048, 512)] {
            let stft = Stft::new(window, hop, Device::Cpu);
            let state = silence(
                &[
                    Stft::analysis_state_shape(window, hop, 2),
                    Stft::synthesis_state_shape(hop, 2),
                ],
                1,
                Device::Cpu,
            );
            let mut carry = Carry::new(&state);
            let frames = 6 * hop as i64;
            let x = Tensor::rand([1, 2, frames], (Kind::Float, Device::Cpu)) - 0.5;
            let spectra = stft.analyse(&mut carry, &x);
            assert_eq!(spectra.size(), [1, 6, window as i64 / 2 + 1, 2]);
            let back = stft
                .synthesise(&mut carry, &spectra.transpose(2, 3))
                .transpose(1, 2);
            let later = frames - hop as i64;
            let error = (back.narrow(2, hop as i64, later) - x.narrow(2, 0, later))
                .abs()
                .max()
                .double_value(&[]);
            assert!(error < 1e-5, "{window}/{hop}: {error}");
        }
    }
}
