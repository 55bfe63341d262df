//! Side-chain pumping: the bass drum pushes other parts down for a moment, as in most dance music.

use crate::render::instruments::{RATE, Stereo, frame_at, gain};

/// How deep and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pump {
    /// Gain right after a kick, in dB, below 0.
    pub(crate) depth_db: f32,
    /// Time until the gain is back.
    pub(crate) recovery_s: f32,
}

impl Pump {
    /// Lowers the audio after each kick (seconds, in order). The gain falls within 4 ms and comes
    /// back along a squared cosine.
    pub(crate) fn apply(self, audio: &mut Stereo, kicks: &[f64]) {
        let frames = audio[0].len();
        let fall = (0.004 * RATE) as usize;
        let recovery = ((self.recovery_s * RATE) as usize).max(1);
        let mut gains = vec![0.0_f32; frames];
        for kick in kicks {
            let start = frame_at(*kick);
            for offset in 0..fall + recovery {
                let Some(depth) = gains.get_mut(start + offset) else {
                    break;
                };
                let now = if offset < fall {
                    offset as f32 / fall as f32
                } else {
                    let back = (offset - fall) as f32 / recovery as f32;
                    (back * std::f32::consts::FRAC_PI_2).cos().powi(2)
                };
                *depth = depth.max(now);
            }
        }
        for side in audio {
            for (sample, depth) in side.iter_mut().zip(&gains) {
                *sample *= gain(self.depth_db * depth);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_falls_at_the_kick_and_comes_back() {
        let mut audio = [vec![1.0; 44_100], vec![1.0; 44_100]];
        let pump = Pump {
            depth_db: -12.0,
            recovery_s: 0.2,
        };
        pump.apply(&mut audio, &[0.5]);
        let at = |seconds: f64| audio[0][frame_at(seconds)];
        assert_eq!(at(0.49), 1.0);
        assert!((at(0.504) - gain(-12.0)).abs() < 0.02, "{}", at(0.504));
        assert!(at(0.6) > at(0.55));
        assert_eq!(at(0.71), 1.0);
    }
}
