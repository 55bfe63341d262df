//! Waveform to spectrogram and back, as the hybrid networks of the reference do it.
//!
//! The reference pads the signal, lets `torch.stft` pad it once more, then drops the frames that
//! see padding only. The frames left are those of a transform without centring over the signal with
//! 3/8 of a window before it, so only they are computed here.

use tch::{Device, Kind, Tensor};

/// Hann-windowed transform whose hop is a quarter of its window.
#[derive(Debug)]
pub(crate) struct Spectrum {
    window: Tensor, // [window frames]
    nfft: i64,
    hop: i64,
    is_old: bool,
}

impl Spectrum {
    /// `is_old` pads with zeros and shifts the inverse, as some models of 2021 were trained.
    pub(crate) fn new(nfft: usize, is_old: bool, device: Device) -> Self {
        let nfft = nfft as i64;
        Self {
            window: Tensor::hann_window(nfft, (Kind::Float, device)),
            nfft,
            hop: nfft / 4,
            is_old,
        }
    }

    /// Real and imaginary parts as channels: `[batch, channels, frames]` → `[batch, nfft / 2,
    /// 2 * channels, frames / hop]`, rounded up; the highest frequency is left out.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, channels, frames) = x.size3().expect("audio has three axes");
        let count = (frames + self.hop - 1) / self.hop;
        let before = self.hop / 2 * 3;
        let after = before + count * self.hop - frames;
        let padded = if self.is_old {
            x.constant_pad_nd([before, after])
        } else {
            reflected(x, before, after)
        };
        let complex = padded
            .reshape([batch * channels, -1])
            .stft_center(
                self.nfft,
                self.hop,
                self.nfft,
                Some(&self.window),
                false,
                "reflect",
                true,
                true,
                true,
                false,
            ) // [batch * channels, nfft / 2 + 1, count]
            .narrow(1, 0, self.nfft / 2);
        complex
            .view_as_real() // [batch * channels, nfft / 2, count, 2]
            .view([batch, channels, self.nfft / 2, count, 2])
            .permute([0, 2, 1, 4, 3])
            .reshape([batch, self.nfft / 2, channels * 2, count])
    }

    /// The inverse: `[batch, nfft / 2, 2 * channels, positions]` → `[batch, channels, frames]`.
    pub(crate) fn inverse(&self, x: &Tensor, frames: i64) -> Tensor {
        let (batch, freqs, channels, count) = x.size4().expect("spectrograms have four axes");
        let rows = batch * channels / 2;
        let complex = x
            .reshape([batch, freqs, channels / 2, 2, count])
            .permute([0, 2, 4, 1, 3])
            .reshape([rows, count, freqs, 2])
            .contiguous()
            .view_as_complex();
        // The highest frequency is zero: `irfft` fills it up. Orthonormal as `normalized=True`.
        let pieces = complex.fft_irfft(self.nfft, -1, "ortho") * &self.window; // [rows, count, nfft]
        // Quarter k of a piece begins k hops after the piece.
        let quarters = pieces.view([rows, count, 4, self.hop]);
        let sum = Tensor::zeros([rows, count + 3, self.hop], (x.kind(), x.device()));
        for quarter in 0..4 {
            let mut overlap = sum.narrow(1, quarter, count);
            overlap += quarters.select(2, quarter);
        }
        // The four squared windows that meet everywhere add up to 3/2.
        let signal = sum.view([rows, -1]) / 1.5;
        let signal = if self.is_old {
            // Without frames before the signal, its first hop is under three windows only.
            let fourth: Tensor = self.window.narrow(0, 3 * self.hop, self.hop).square();
            let three: Tensor = (1.5 - fourth) / 1.5; // [hop]
            let first = signal.narrow(1, 0, self.hop) / three;
            let rest = signal.narrow(1, self.hop, signal.size()[1] - self.hop);
            Tensor::cat(&[first, rest], 1).narrow(1, 0, frames)
        } else {
            signal.narrow(1, self.hop / 2 * 3, frames)
        };
        signal.reshape([batch, channels / 2, frames])
    }
}

/// Pads by reflection; an input too short for that gets zeros first (`pad1d` of the reference).
fn reflected(x: &Tensor, before: i64, after: i64) -> Tensor {
    let frames = x.size()[2];
    let missing = (before.max(after) + 1 - frames).max(0);
    let zeros_after = missing.min(after);
    let zeros_before = missing - zeros_after;
    let x = if missing > 0 {
        x.constant_pad_nd([zeros_before, zeros_after])
    } else {
        x.shallow_clone()
    };
    x.reflection_pad1d([before - zeros_before, after - zeros_after])
}
