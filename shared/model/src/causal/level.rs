//! Running normalisation: how loud the music has been so far.

use tch::{Kind, Tensor};

use super::Carry;

/// Hops below this mean square (-80 dBFS) are pauses, and say nothing about the music's level.
const PAUSE: f64 = 1e-8;
/// The level is at least this share of the newest hop's, in amplitude: after a quiet beginning the
/// first loud hop must not reach the network far beyond anything it was trained on.
const MIN_SHARE: f64 = 0.1;
/// Added to every level, so that silence is divided by something.
const FLOOR: f64 = 1e-3;

/// The RMS of all that was heard, the newest hop included: the mean over its hops until the memory
/// is full, then an exponential mean of that length.
///
/// Of the power of all channels rather than of their mono sum, which has no level where channels
/// cancel each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunningLevel {
    hop_frames: i64,
    memory_hops: f64,
}

impl RunningLevel {
    pub(crate) fn new(hop_frames: usize, memory_hops: f64) -> Self {
        Self {
            hop_frames: hop_frames as i64,
            memory_hops: memory_hops.max(1.0),
        }
    }

    /// One piece: mean square so far, and hops heard.
    pub(crate) fn state_shape() -> Vec<i64> {
        vec![2]
    }

    /// The level of every frame of whole hops: `[batch, channels, frames]` → `[batch, 1, frames]`.
    pub(crate) fn run(self, carry: &mut Carry, mix: &Tensor) -> Tensor {
        let (batch, channels, frames) = mix.size3().expect("audio has three axes");
        let power = mix
            .reshape([batch, channels, -1, self.hop_frames])
            .square()
            .mean_dim([1i64, 3].as_slice(), false, None); // [batch, hops]
        let sounds = power.gt(PAUSE).to_kind(Kind::Float); // [batch, hops]
        let least = &power * (MIN_SHARE * MIN_SHARE);
        let state = carry.take();
        let (mut mean, mut heard) = (state.select(1, 0), state.select(1, 1)); // [batch]
        let mut levels = Vec::new();
        for hop in 0..frames / self.hop_frames {
            let sounds = sounds.select(1, hop);
            heard = (heard + &sounds).clamp_max(self.memory_hops);
            let weight = sounds / heard.clamp_min(1.0);
            mean = mean
                .lerp_tensor(&power.select(1, hop), &weight)
                .maximum(&least.select(1, hop));
            levels.push(mean.shallow_clone());
        }
        carry.leave(Tensor::stack(&[mean, heard], 1));
        let levels = Tensor::stack(&levels, 1).sqrt() + FLOOR; // [batch, hops]
        levels
            .unsqueeze(2)
            .expand([batch, -1, self.hop_frames], false)
            .reshape([batch, 1, frames])
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::causal::silence;
    use crate::checkpoint::float_values;

    const HOP: usize = 4;

    /// Levels of hops of constant amplitudes, each given as left and right.
    fn levels(memory_hops: f64, hops: &[(f32, f32)]) -> Vec<f32> {
        let channel = |pick: fn(&(f32, f32)) -> f32| -> Vec<f32> {
            hops.iter().flat_map(|hop| [pick(hop); HOP]).collect()
        };
        let (left, right) = (channel(|hop| hop.0), channel(|hop| hop.1));
        let mix = Tensor::stack(&[Tensor::from_slice(&left), Tensor::from_slice(&right)], 0);
        let state = silence(&[RunningLevel::state_shape()], 1, Device::Cpu);
        let level = RunningLevel::new(HOP, memory_hops);
        let levels = level.run(&mut Carry::new(&state), &mix.unsqueeze(0));
        let levels = float_values(&levels);
        levels.chunks(HOP).map(|hop| hop[0]).collect()
    }

    fn assert_near(got: &[f32], expected: &[f32]) {
        for (got, expected) in got.iter().zip(expected) {
            let expected = expected + FLOOR as f32;
            assert!((got - expected).abs() < 1e-5, "{got} is not {expected}");
        }
    }

    /// Guards against a start-up that divides by a level still rising from zero.
    #[test]
    fn the_first_hop_has_its_own_level_and_the_mean_follows() {
        let mean = (0.5f32.powi(2) * 2.0 / 3.0).sqrt();
        assert_near(&levels(100.0, &[(0.5, 0.5); 2]), &[0.5, 0.5]);
        assert_near(
            &levels(100.0, &[(0.5, 0.5), (0.5, 0.5), (1e-3, 1e-3)])[2..],
            &[mean],
        );
    }

    /// Guards against pauses that lower the level, and against music after a pause, or after noise
    /// far below it, that comes out as a blast.
    #[test]
    fn silence_is_no_level_and_what_follows_it_is_not_blown_up() {
        let mut hops = vec![(0.0, 0.0); 50];
        hops.push((0.8, 0.8));
        let after_silence = levels(100.0, &hops);
        assert_near(&after_silence[..50], &[0.0; 50]);
        assert_near(&after_silence[50..], &[0.8]);
        let mut hops = vec![(1e-3, 1e-3); 50];
        hops.push((0.8, 0.8));
        let level = levels(1e6, &hops)[50];
        assert!(level > 0.08, "0.8 would be taken for {}", 0.8 / level);
    }

    /// Guards against a normalisation by the mono sum: out-of-phase sound would have no level.
    #[test]
    fn channels_out_of_phase_sound() {
        assert_near(&levels(100.0, &[(0.5, -0.5)]), &[0.5]);
    }

    /// Guards against a mean over hours, which no change of the music moves any more.
    #[test]
    fn the_memory_ends() {
        let mut hops = vec![(1.0, 1.0); 20];
        hops.extend([(0.1, 0.1); 60]);
        let level = *levels(10.0, &hops).last().unwrap();
        assert!((level - 0.1).abs() < 0.02, "{level}");
    }
}
