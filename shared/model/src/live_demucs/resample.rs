//! Doubling or quadrupling the rate inside the network, causally.
//!
//! Windowed-sinc interpolation as in PyPI `julius` (`resample_frac`): Hann (cos²) window, roll-off
//! 0.945. Its future half is waited for, and counted in the delay.

use tch::{Device, Tensor};

use crate::causal::Carry;

/// Zero crossings on each side, in frames of the input: 0.36 ms each way at 44.1 kHz.
const ZEROS: usize = 16;
const ROLLOFF: f64 = 0.945;

/// The filters of both directions, on the model's device.
#[derive(Debug)]
pub(super) struct Resampler {
    up: Tensor,   // [factor, 1, taps]
    down: Tensor, // [1, 1, taps]
    factor: i64,
}

/// Frames from the centre of the downsampler's filter to the end of its newest output frame, at
/// the rate inside: as few as make the whole delay a whole number of frames outside.
fn wait_inside(factor: usize, network_delay: usize) -> usize {
    let reach = ZEROS * factor;
    let least = (reach + 1).saturating_sub(factor) + network_delay;
    reach + least.next_multiple_of(factor) - least
}

/// Delay of upsampler, network and downsampler in frames of the input, for a network that delays
/// by `network_delay` frames at the rate inside.
pub(super) fn delay_frames(factor: usize, network_delay: usize) -> usize {
    if factor == 1 {
        return network_delay;
    }
    let wait = wait_inside(factor, network_delay);
    ZEROS + (wait + 1 - factor + network_delay) / factor
}

impl Resampler {
    pub(super) fn new(factor: usize, network_delay: usize, device: Device) -> Self {
        let up: Vec<f32> = (0..factor)
            .flat_map(|phase| up_taps(factor, phase))
            .collect();
        let down = down_taps(factor, wait_inside(factor, network_delay));
        Self {
            up: Tensor::from_slice(&up)
                .reshape([factor as i64, 1, -1])
                .to_device(device),
            down: Tensor::from_slice(&down)
                .reshape([1, 1, -1])
                .to_device(device),
            factor: factor as i64,
        }
    }

    /// One piece: the input that the filters still hear.
    pub(super) fn up_state_shape(channels: usize) -> Vec<i64> {
        vec![channels as i64, 2 * ZEROS as i64]
    }

    /// One piece: the output that the filter still hears.
    pub(super) fn down_state_shape(
        factor: usize,
        network_delay: usize,
        channels: usize,
    ) -> Vec<i64> {
        let taps = ZEROS * factor + wait_inside(factor, network_delay) + 1;
        vec![channels as i64, (taps - factor) as i64]
    }

    /// `[batch, channels, frames]` → `[batch, channels, factor * frames]`.
    pub(super) fn up(&self, carry: &mut Carry, x: &Tensor) -> Tensor {
        let (batch, channels, frames) = x.size3().expect("audio has three axes");
        let heard = carry.with_past(x, 2).flatten(0, 1).unsqueeze(1);
        heard
            .conv1d(&self.up, None::<Tensor>, [1], [0], [1], 1) // [batch * channels, factor, frames]
            .transpose(1, 2)
            .reshape([batch, channels, self.factor * frames])
    }

    /// `[batch, channels, factor * frames]` → `[batch, channels, frames]`.
    pub(super) fn down(&self, carry: &mut Carry, x: &Tensor) -> Tensor {
        let (batch, channels, frames) = x.size3().expect("audio has three axes");
        let heard = carry.with_past(x, 2).flatten(0, 1).unsqueeze(1);
        heard
            .conv1d(&self.down, None::<Tensor>, [self.factor], [0], [1], 1)
            .reshape([batch, channels, frames / self.factor])
    }
}

/// The windowed sinc at `time`, in frames of the input.
fn tap(time: f64) -> f64 {
    let zeros = ZEROS as f64;
    let t = (time * ROLLOFF).clamp(-zeros, zeros) * std::f64::consts::PI;
    let sinc = if t == 0.0 { 1.0 } else { t.sin() / t };
    sinc * (t / zeros / 2.0).cos().powi(2)
}

/// A constant must stay what it is.
fn with_unit_sum(taps: Vec<f64>) -> Vec<f32> {
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| (tap / sum) as f32).collect()
}

/// Over the input from `2 * ZEROS` frames ago until now, for content `ZEROS` frames ago.
fn up_taps(factor: usize, phase: usize) -> Vec<f32> {
    let zeros = ZEROS as i64;
    let centre = phase as f64 / factor as f64;
    with_unit_sum(
        (-zeros..=zeros)
            .map(|frame| tap(frame as f64 - centre))
            .collect(),
    )
}

/// Over the frames inside from `ZEROS` input frames before its centre until `wait` after it.
fn down_taps(factor: usize, wait: usize) -> Vec<f32> {
    let reach = (ZEROS * factor) as i64;
    let inside = (-reach..=wait as i64).map(|frame| {
        if frame > reach {
            0.0
        } else {
            tap(frame as f64 / factor as f64)
        }
    });
    with_unit_sum(inside.collect())
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::causal::silence;

    /// Guards the told delay and the pass band: a tone at 0.15 of the rate comes back at its time,
    /// for networks between the resamplers whose own delay is no whole number of frames outside.
    #[test]
    fn up_and_down_again_is_the_input_at_the_told_delay() {
        let frames = 400i64;
        let time = Tensor::arange(frames, (Kind::Float, Device::Cpu));
        let tone = (time * (0.15 * std::f64::consts::TAU))
            .sin()
            .reshape([1, 1, -1]);
        for (factor, network_delay) in [(2, 0), (2, 7), (4, 0), (4, 1), (4, 2), (4, 3)] {
            let resampler = Resampler::new(factor, network_delay, Device::Cpu);
            let state = silence(
                &[
                    Resampler::up_state_shape(1),
                    vec![1, network_delay as i64],
                    Resampler::down_state_shape(factor, network_delay, 1),
                ],
                1,
                Device::Cpu,
            );
            let mut carry = Carry::new(&state);
            let inside = resampler.up(&mut carry, &tone);
            let inside = carry.delayed(&inside, 2);
            let back = resampler.down(&mut carry, &inside);
            let delay = delay_frames(factor, network_delay) as i64;
            // Away from the tone's sudden beginning.
            let (from, length) = (80, frames - 80 - delay);
            let error = (back.narrow(2, from + delay, length) - tone.narrow(2, from, length))
                .abs()
                .max()
                .double_value(&[]);
            assert!(error < 1e-3, "x{factor} around {network_delay}: {error}");
        }
    }
}
