//! Doubling and halving the sample rate as Demucs v2 does, inside the network.
//!
//! Windowed-sinc interpolation, formula of the reference (PyPI `julius` 0.2, `resample_frac`):
//! 24 zero crossings, Hann (cos²) window, roll-off 0.945, edges replicated.

use tch::{Device, Tensor};

const ZEROS: f64 = 24.0;
const ROLLOFF: f64 = 0.945;

/// The filters of both directions, on the model's device.
#[derive(Debug)]
pub(crate) struct Resampler {
    up: Tensor,   // [2, 1, width]
    down: Tensor, // [1, 1, width]
}

impl Resampler {
    pub(crate) fn new(device: Device) -> Self {
        Self {
            up: kernels(1, 2).to_device(device),
            down: kernels(2, 1).to_device(device),
        }
    }

    /// `[batch, channels, frames]` → `[batch, channels, 2 * frames]`.
    pub(crate) fn up(&self, x: &Tensor) -> Tensor {
        convert(x, &self.up, 1, 2)
    }

    /// `[batch, channels, frames]` → `[batch, channels, frames / 2]`.
    pub(crate) fn down(&self, x: &Tensor) -> Tensor {
        convert(x, &self.down, 2, 1)
    }
}

fn half_width(from: i64, to: i64) -> i64 {
    (ZEROS * from as f64 / (from.min(to) as f64 * ROLLOFF)).ceil() as i64
}

/// One filter per output phase: `[to, 1, 2 * half_width + from]`.
fn kernels(from: i64, to: i64) -> Tensor {
    let rate = from.min(to) as f64 * ROLLOFF;
    let half_width = half_width(from, to);
    let rows: Vec<f32> = (0..to)
        .flat_map(|phase| {
            let taps: Vec<f64> = (-half_width..half_width + from)
                .map(|index| {
                    let t = (index as f64 / from as f64 - phase as f64 / to as f64) * rate;
                    let t = t.clamp(-ZEROS, ZEROS) * std::f64::consts::PI;
                    let sinc = if t == 0.0 { 1.0 } else { t.sin() / t };
                    sinc * (t / ZEROS / 2.0).cos().powi(2)
                })
                .collect();
            // A constant must stay what it is.
            let sum: f64 = taps.iter().sum();
            taps.into_iter().map(move |tap| (tap / sum) as f32)
        })
        .collect();
    Tensor::from_slice(&rows).reshape([to, 1, -1])
}

fn convert(x: &Tensor, kernels: &Tensor, from: i64, to: i64) -> Tensor {
    let (batch, channels, frames) = x.size3().expect("audio has three axes");
    let half_width = half_width(from, to);
    let x = x
        .reshape([batch * channels, 1, frames])
        .replication_pad1d([half_width, half_width + from]);
    let y = x.conv1d(
        &kernels.to_kind(x.kind()),
        None::<Tensor>,
        [from],
        [0],
        [1],
        1,
    ); // [batch * channels, to, positions]
    y.transpose(1, 2)
        .reshape([batch, channels, -1])
        .narrow(2, 0, frames * to / from)
}
