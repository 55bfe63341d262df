//! Scale-invariant signal-to-distortion ratio.

use tch::{Kind, Tensor};

/// Energy added to both sides: silence has a ratio too.
const EPSILON: f64 = 1e-8;

/// Le Roux et al., *SDR – half-baked or well done?* (2019), over channels and frames together:
/// `[batch, stems, channels, frames]` twice → `[batch, stems]` in dB, without removal of means.
pub fn si_sdr(estimates: &Tensor, stems: &Tensor) -> Tensor {
    let sum = |x: Tensor| x.sum_dim_intlist([2, 3].as_slice(), true, Kind::Float);
    let energy = sum(stems.square());
    let scale = (sum(estimates * stems) + EPSILON) / (&energy + EPSILON);
    let target = scale * stems;
    let distortion = sum((estimates - &target).square());
    let ratio = (sum(target.square()) + EPSILON) / (distortion + EPSILON);
    (ratio.log10() * 10.0).squeeze_dim(3).squeeze_dim(2)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// Guards against a ratio that depends on the estimate's level, or counts channels apart.
    #[test]
    fn closed_forms() {
        let frame = |values: &[f32]| Tensor::from_slice(values).view([1, 1, 2, 2]);
        let stem = frame(&[1.0, 0.0, 0.0, 1.0]);
        // Orthogonal error of a tenth of the energy: 10 dB, at any level.
        let error = frame(&[0.0, (0.1_f32).sqrt(), (0.1_f32).sqrt(), 0.0]);
        for level in [0.01, 1.0, 30.0] {
            let got = si_sdr(&((&stem + &error) * level), &stem).double_value(&[0, 0]);
            assert!((got - 10.0).abs() < 0.01, "{got}");
        }
        let silent = Tensor::zeros([1, 1, 2, 2], (Kind::Float, Device::Cpu));
        assert!(si_sdr(&silent, &silent).double_value(&[0, 0]).is_finite());
    }
}
