//! What filters can make of the references, and the energies of what is left.

use tch::{Device, Kind, TchError, Tensor};

use super::correlations::Correlations;
use super::{Audio, TAPS};

/// Windows that are projected together.
pub(super) const WINDOWS_AT_ONCE: usize = 16;

/// The least-squares filters of all estimates.
pub(super) struct Filters {
    /// `[references, taps, estimates]`: from all sources.
    all: Tensor,
    /// `[sources, channels, taps, channels]`: each estimate's, from its own source.
    own: Tensor,
    channels: i64,
}

impl Filters {
    pub(super) fn new(correlations: &Correlations, channels: usize) -> Result<Self, TchError> {
        let Correlations {
            gram,
            with_estimates,
        } = correlations;
        let (channels, taps) = (channels as i64, TAPS as i64);
        let estimates = with_estimates.size()[1];
        let all = solve(gram, with_estimates)?.f_reshape([estimates, taps, estimates])?;
        let side = channels * taps;
        let own = (0..estimates / channels)
            .map(|source| {
                let gram = gram
                    .narrow(0, source * side, side)
                    .narrow(1, source * side, side);
                let right = with_estimates.narrow(0, source * side, side).narrow(
                    1,
                    source * channels,
                    channels,
                );
                solve(&gram, &right)?.f_reshape([channels, taps, channels])
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            all,
            own: Tensor::stack(&own, 0),
            channels,
        })
    }

    /// SDR, ISR, SIR and SAR of windows of one length (but the only one of a short track), in dB:
    /// `[window * sources + source]` of each.
    pub(super) fn ratios_db(
        &self,
        audio: &Audio<'_>,
        windows: &[(usize, usize)],
    ) -> Result<[Vec<f64>; 4], TchError> {
        let frames = windows.first().map_or(0, |(start, end)| end - start);
        // Filters ring on after the window's end.
        let length = (frames + TAPS - 1) as i64;
        let transform = fast_length(length);
        let parts = |rows: std::ops::Range<usize>| {
            let part =
                |&(start, _): &(usize, usize)| audio.part(rows.clone(), start as isize, frames);
            let parts: Vec<Tensor> = windows.iter().map(part).collect();
            Tensor::stack(&parts, 0).f_constant_pad_nd([0, TAPS as i64 - 1])
        };
        let reference = parts(0..audio.half)?; // [windows, references, length]
        let estimate = parts(audio.half..2 * audio.half)?;
        let (count, rows) = (windows.len() as i64, audio.half as i64);
        let sources = rows / self.channels;

        let spectrum = |x: &Tensor, axis: i64| x.f_fft_rfft(transform, axis, "backward");
        let heard = spectrum(&reference, 2)?; // [windows, references, frequencies]
        let all = heard
            .permute([2, 0, 1])
            .f_matmul(&spectrum(&self.all, 1)?.permute([1, 0, 2]))?
            .permute([1, 2, 0]); // [windows, estimates, frequencies]
        let own = heard
            .view([count, sources, self.channels, -1])
            .permute([3, 1, 0, 2]) // [frequencies, sources, windows, channels]
            .f_matmul(&spectrum(&self.own, 2)?.permute([2, 0, 1, 3]))?
            .permute([2, 1, 3, 0]) // [windows, sources, channels, frequencies]
            .f_reshape([count, rows, -1])?;
        let audible = |x: &Tensor| {
            let x = x.f_fft_irfft(transform, -1, "backward")?;
            Ok::<_, TchError>(x.narrow(2, 0, length))
        };
        let (all, own) = (audible(&all)?, audible(&own)?);

        let energy = |x: Tensor| {
            x.square()
                .view([count, sources, self.channels * length])
                .sum_dim_intlist(2, false, Kind::Double)
        };
        let ratio_db = |signal: Tensor, distortion: Tensor| {
            let ratio = (energy(signal) / energy(distortion)).log10() * 10.0;
            Vec::<f64>::try_from(ratio.reshape([-1]))
        };
        Ok([
            ratio_db(reference.shallow_clone(), &estimate - &reference)?,
            ratio_db(reference.shallow_clone(), &own - &reference)?,
            ratio_db(own.shallow_clone(), &all - &own)?,
            ratio_db(all.shallow_clone(), &estimate - &all)?,
        ])
    }
}

/// museval's way: a little of the identity, and least squares where that does not help.
fn solve(gram: &Tensor, right: &Tensor) -> Result<Tensor, TchError> {
    let identity = Tensor::eye(gram.size()[0], (Kind::Double, Device::Cpu));
    let regular = gram + identity * f64::EPSILON;
    match Tensor::f_linalg_solve(&regular, right, true) {
        Ok(filters) => Ok(filters),
        Err(_) => Ok(gram.f_linalg_lstsq(right, None, "gelsd")?.0),
    }
}

/// The next length without prime factors above 5.
fn fast_length(length: i64) -> i64 {
    let is_fast = |&candidate: &i64| {
        let mut rest = candidate;
        for factor in [2, 3, 5] {
            while rest % factor == 0 {
                rest /= factor;
            }
        }
        rest == 1
    };
    (length.max(1)..).find(is_fast).unwrap_or(length)
}
