//! Correlations of the references with each other and with the estimates, for all delays of a filter.

use tch::{Kind, TchError, Tensor};

use super::{Audio, TAPS};

/// Length of the transforms: long beside the filters, and short enough for the caches.
const FFT_FRAMES: usize = 8192;
/// Frames of a block: what is left of a transform when all delays have their room.
const BLOCK_FRAMES: usize = FFT_FRAMES - 2 * (TAPS - 1);
/// Blocks that are correlated in one matrix product.
const BLOCKS_AT_ONCE: usize = 64;

/// The normal equations of all projections.
pub(super) struct Correlations {
    /// `[references * taps, references * taps]`: of every delayed reference with every other.
    pub(super) gram: Tensor,
    /// `[references * taps, estimates]`: of every delayed reference with every estimate.
    pub(super) with_estimates: Tensor,
}

impl Correlations {
    pub(super) fn new(audio: &Audio<'_>) -> Result<Self, TchError> {
        let spectrum = cross_spectrum(audio)?;
        let half = audio.half as i64;
        let delays = 2 * TAPS as i64 - 1;
        let taps = TAPS as i64;
        // At `i`: the sum over t of reference(t + i - (TAPS - 1)) times the other channel's t.
        let correlation = spectrum
            .permute([1, 2, 0])
            .f_fft_irfft(FFT_FRAMES as i64, -1, "backward")?
            .narrow(2, 0, delays); // [references, all channels, delays]
        let of_references = correlation.narrow(1, 0, half);
        let gram = of_references
            .unfold(2, taps, 1)
            .flip([2])
            .permute([0, 2, 1, 3]) // [reference, delay, reference, delay]
            .f_reshape([half * taps, half * taps])?;
        let with_estimates = correlation
            .narrow(1, half, half)
            .narrow(2, 0, taps)
            .flip([2])
            .permute([0, 2, 1]) // [reference, delay, estimate]
            .f_reshape([half * taps, half])?;
        Ok(Self {
            gram,
            with_estimates,
        })
    }
}

/// `[frequencies, references, all channels]`, summed over the blocks.
fn cross_spectrum(audio: &Audio<'_>) -> Result<Tensor, TchError> {
    let count = audio.frames.div_ceil(BLOCK_FRAMES);
    let mut sum: Option<Tensor> = None;
    for first in (0..count).step_by(BLOCKS_AT_ONCE) {
        let blocks = first..(first + BLOCKS_AT_ONCE).min(count);
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for block in blocks {
            let start = (block * BLOCK_FRAMES) as isize;
            let all = 0..2 * audio.half;
            near.push(audio.part(all, start, BLOCK_FRAMES));
            let before = start - (TAPS as isize - 1);
            far.push(audio.part(0..audio.half, before, FFT_FRAMES));
        }
        let spectrum = |blocks: &[Tensor]| {
            let blocks = Tensor::stack(blocks, 0); // [blocks, channels, frames]
            blocks.f_fft_rfft(FFT_FRAMES as i64, -1, "backward")
        };
        let far = spectrum(&far)?.permute([2, 1, 0]); // [frequencies, references, blocks]
        let near = spectrum(&near)?.permute([2, 0, 1]).conj(); // [frequencies, blocks, channels]
        let product = far.f_matmul(&near)?;
        sum = Some(match sum {
            Some(sum) => sum + product,
            None => product,
        });
    }
    Ok(sum.unwrap_or_else(|| {
        let half = audio.half as i64;
        let shape = [FFT_FRAMES as i64 / 2 + 1, half, 2 * half];
        Tensor::zeros(shape, (Kind::ComplexDouble, tch::Device::Cpu))
    }))
}
