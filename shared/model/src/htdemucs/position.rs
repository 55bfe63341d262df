//! Position embeddings of the transformer, by the reference's formulas and in its precision.

use tch::{Device, Kind, Tensor};

/// Sines and cosines of `positions` [positions]: → `[positions, width]`, cosines first.
pub(super) fn sines(positions: &Tensor, width: i64, max_period: f64) -> Tensor {
    let half = width / 2;
    let exponent =
        Tensor::arange(half, (Kind::Float, positions.device())) / (half - 1).max(1) as f64;
    let periods = Tensor::pow_scalar(max_period, &exponent); // [half]
    let phase = positions.unsqueeze(1) / periods; // [positions, half]
    Tensor::cat(&[phase.cos(), phase.sin()], 1)
}

/// Both positions in a spectrogram: → `[frames * freqs, width]`, frequency running faster. The
/// first half of the width tells the frame, the second the frequency.
pub(super) fn sines_2d(
    freqs: i64,
    frames: i64,
    width: i64,
    max_period: f64,
    device: Device,
) -> Tensor {
    let half = width / 2;
    let one_axis = |count: i64| {
        let exponent = Tensor::arange_start_step(0, half, 2, (Kind::Float, device));
        let rate = (exponent * (-max_period.ln() / half as f64)).exp(); // [half / 2]
        let phase = Tensor::arange(count, (Kind::Float, device)).unsqueeze(1) * rate;
        // Sine and cosine take turns.
        Tensor::stack(&[phase.sin(), phase.cos()], 2).view([count, half])
    };
    let shape = [frames, freqs, half];
    let frame = one_axis(frames).unsqueeze(1).expand(shape, false);
    let freq = one_axis(freqs).unsqueeze(0).expand(shape, false);
    Tensor::cat(&[frame, freq], 2).view([frames * freqs, width])
}
