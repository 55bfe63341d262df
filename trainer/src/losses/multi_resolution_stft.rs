//! Distance of magnitude spectra at several window lengths.
//!
//! Yamamoto, Song & Kim, *Parallel WaveGAN* (2020): per resolution the spectral convergence
//! `‖|S| − |Ŝ|‖ / ‖|S|‖` and the mean absolute difference of log magnitudes, each averaged over
//! resolutions.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Magnitudes below this count as this: -100 dBFS and softer is silence.
const FLOOR: f64 = 1e-5;

/// The distance as a loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StftLossConfig {
    /// Weight of the distance.
    pub weight: f64,
    /// Window lengths in frames, powers of two; the hop is a quarter.
    pub windows: Vec<usize>,
}

impl Default for StftLossConfig {
    fn default() -> Self {
        Self {
            weight: 1.0,
            windows: vec![512, 1024, 2048],
        }
    }
}

/// Both parts, each `[batch, stems]`.
#[derive(Debug)]
pub struct StftDistance {
    /// Relative error of magnitudes; 0 and up, 1 for a silent estimate.
    pub spectral_convergence: Tensor,
    /// Mean absolute difference of the natural logarithms of magnitudes.
    pub log_magnitude: Tensor,
}

impl StftDistance {
    /// Their sum, as the paper uses it.
    pub fn total(&self) -> Tensor {
        &self.spectral_convergence + &self.log_magnitude
    }
}

/// The windows, ready on a device.
#[derive(Debug)]
pub struct MultiResolutionStft {
    windows: Vec<Window>,
}

/// A window with the sum of its values: read once, for a GPU is waited for whenever it is.
#[derive(Debug)]
struct Window {
    values: Tensor,
    gain: f64,
}

impl MultiResolutionStft {
    /// Hann windows of these lengths in frames.
    #[must_use]
    pub fn new(windows: &[usize], device: Device) -> Self {
        let hann = |&frames: &usize| {
            let values = Tensor::hann_window(frames as i64, (Kind::Float, device));
            Window {
                gain: values.sum(Kind::Double).double_value(&[]),
                values,
            }
        };
        Self {
            windows: windows.iter().map(hann).collect(),
        }
    }

    /// From estimates to stems, `[batch, stems, channels, frames]` each. A clip shorter than a
    /// window is padded with silence.
    #[must_use]
    pub fn distance(&self, estimates: &Tensor, stems: &Tensor) -> StftDistance {
        let count = self.windows.len() as f64;
        let mut sum: Option<StftDistance> = None;
        for window in &self.windows {
            let part = one_resolution(window, estimates, stems);
            sum = Some(match sum {
                None => part,
                Some(sum) => StftDistance {
                    spectral_convergence: sum.spectral_convergence + part.spectral_convergence,
                    log_magnitude: sum.log_magnitude + part.log_magnitude,
                },
            });
        }
        let sum = sum.expect("the config asks for at least one window");
        StftDistance {
            spectral_convergence: sum.spectral_convergence / count,
            log_magnitude: sum.log_magnitude / count,
        }
    }
}

fn one_resolution(window: &Window, estimates: &Tensor, stems: &Tensor) -> StftDistance {
    let estimated = magnitudes(window, estimates); // [batch, stems, channels * bins * count]
    let true_ones = magnitudes(window, stems);
    let length = |x: Tensor| x.square().sum_dim_intlist(2, false, Kind::Float).sqrt();
    // What both consider silent has no distance, and a silent stem none that is infinite.
    let silence = FLOOR * (true_ones.size()[2] as f64).sqrt();
    // The root's slope is infinite at 0, where estimate and stem are equal.
    let error = ((&estimated - &true_ones)
        .square()
        .sum_dim_intlist(2, false, Kind::Float)
        + FLOOR * FLOOR)
        .sqrt();
    StftDistance {
        spectral_convergence: error / length(true_ones.shallow_clone()).clamp_min(silence),
        log_magnitude: (estimated.log() - true_ones.log())
            .abs()
            .mean_dim(2, false, Kind::Float),
    }
}

/// Magnitudes from [`FLOOR`] on: `[batch, stems, channels * bins * count]`. Scaled so that a full
/// sine has about half its amplitude, whatever the window.
fn magnitudes(window: &Window, x: &Tensor) -> Tensor {
    let (batch, stems, channels, frames) = x.size4().expect("stems have four axes");
    let length = window.values.size()[0];
    let padding = (length - frames).max(0);
    let spectrum = x
        .reshape([batch * stems * channels, frames])
        .constant_pad_nd([0, padding])
        .stft(
            length,
            length / 4,
            length,
            Some(&window.values),
            false,
            true,
            true,
            false,
        ); // [.., bins, count]
    let parts = spectrum.view_as_real() / window.gain;
    let power = parts.square().sum_dim_intlist(-1, false, Kind::Float);
    power
        .clamp_min(FLOOR * FLOOR)
        .sqrt()
        .view([batch, stems, -1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: i64) -> Tensor {
        tch::manual_seed(seed);
        Tensor::randn([1, 2, 2, 6000], (Kind::Float, Device::Cpu)) * 0.1
    }

    fn values(distance: &StftDistance) -> Vec<f32> {
        Vec::try_from(
            Tensor::cat(
                &[&distance.spectral_convergence, &distance.log_magnitude],
                0,
            )
            .flatten(0, -1),
        )
        .unwrap()
    }

    #[test]
    fn closed_forms() {
        let stft = MultiResolutionStft::new(&[256, 512], Device::Cpu);
        let x = noise(1);
        for value in values(&stft.distance(&x, &x)) {
            assert!(value < 1e-4, "equal signals: {value}");
        }
        // Half as loud: magnitudes are off by half of themselves, and by ln 2 in logarithms.
        let halved = stft.distance(&(&x * 0.5), &x);
        for value in values(&halved).chunks(2).next().unwrap() {
            assert!((value - 0.5).abs() < 1e-3, "{value}");
        }
        for value in &values(&halved)[2..] {
            assert!((value - 2f32.ln()).abs() < 0.01, "{value}");
        }
        let silent = stft.distance(&x.zeros_like(), &x);
        assert!((values(&silent)[0] - 1.0).abs() < 1e-2);
    }

    /// Guards against a NaN or a huge gradient where a stem or an estimate is silent or perfect.
    #[test]
    fn gradients_are_finite_at_silence_and_at_equality() {
        let stft = MultiResolutionStft::new(&[256], Device::Cpu);
        let x = noise(2);
        for (estimate, stem) in [(&x, &x), (&x.zeros_like(), &x), (&x, &x.zeros_like())] {
            let estimate = estimate.copy().set_requires_grad(true);
            let loss = stft.distance(&estimate, stem).total().sum(Kind::Float);
            loss.backward();
            let steepest = estimate.grad().abs().max().double_value(&[]);
            assert!(steepest.is_finite(), "{steepest}");
        }
    }

    #[test]
    fn clips_shorter_than_a_window_are_measured() {
        let stft = MultiResolutionStft::new(&[8192], Device::Cpu);
        let x = noise(4);
        assert!(values(&stft.distance(&(&x * 0.5), &x))[0] > 0.4);
    }
}
