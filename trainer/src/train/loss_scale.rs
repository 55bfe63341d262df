//! A scaled loss for half precision, whose small gradients would be zeros.
//!
//! Micikevicius et al., *Mixed Precision Training* (2018); constants and rules are those of
//! `torch.amp.GradScaler`. The gradient grows with the loss and is divided again before the weights
//! move. A scale that is too large makes it overflow: the step is skipped, the scale halved.

use serde::{Deserialize, Serialize};

/// Where the scale begins.
const INITIAL: f64 = 65_536.0;
/// Its rise after [`GROWTH_INTERVAL`] steps in a row without overflow.
const GROWTH: f64 = 2.0;
const GROWTH_INTERVAL: u64 = 2_000;
/// Its fall at an overflow.
const BACKOFF: f64 = 0.5;
/// What overflows at a smaller scale than this would do so without any.
const SMALLEST: f64 = 1.0;

/// The scale and what it rests on; part of a run's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossScale {
    /// The loss is multiplied by this: a power of two.
    pub(crate) factor: f64,
    /// Steps in a row without overflow since the factor last changed.
    good_steps: u64,
    /// Steps that overflowed, and did not move the weights.
    pub(crate) skipped: u64,
}

impl Default for LossScale {
    fn default() -> Self {
        Self {
            factor: INITIAL,
            good_steps: 0,
            skipped: 0,
        }
    }
}

impl LossScale {
    /// After a step whose gradient was finite.
    pub(crate) fn went_well(&mut self) {
        self.good_steps += 1;
        if self.good_steps == GROWTH_INTERVAL {
            self.good_steps = 0;
            // A factor beyond 32-bit floats would be infinite there.
            if self.factor * GROWTH <= f64::from(f32::MAX) {
                self.factor *= GROWTH;
            }
        }
    }

    /// After a step whose gradient was not finite, and which is skipped.
    pub(crate) fn overflowed(&mut self) {
        self.good_steps = 0;
        self.factor *= BACKOFF;
        self.skipped += 1;
    }

    /// Whether an overflow now says nothing about the training itself: a smaller scale may help.
    pub(crate) fn can_fall(&self) -> bool {
        self.factor > SMALLEST
    }
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;

    /// Guards the arithmetic against libtorch's own, of which `GradScaler` is made: growth after
    /// exactly 2000 good steps, backoff at once, a count that starts anew after either.
    #[test]
    fn equals_libtorchs_own_over_thousands_of_steps() {
        let mut ours = LossScale::default();
        let mut scale = Tensor::from_slice(&[INITIAL as f32]);
        let tracker = Tensor::from_slice(&[0_i32]);
        // Overflows early, just before a growth, just after one, and twice in a row.
        let overflows = [3, 2002, 4004, 4005, 9000];
        for step in 0..12_000 {
            let overflow = overflows.contains(&step);
            let found = Tensor::from_slice(&[f32::from(u8::from(overflow))]);
            let _ = scale.internal_amp_update_scale_(
                &tracker,
                &found,
                GROWTH,
                BACKOFF,
                GROWTH_INTERVAL as i64,
            );
            if overflow {
                ours.overflowed();
            } else {
                ours.went_well();
            }
            assert_eq!(ours.factor, scale.double_value(&[0]), "after step {step}");
        }
        assert_eq!(tracker.kind(), Kind::Int);
        assert_eq!(ours.skipped, overflows.len() as u64);
    }

    /// Guards against a factor that grows beyond 32-bit floats in a long run without overflow.
    #[test]
    fn the_factor_stays_finite() {
        let mut scale = LossScale {
            factor: 2f64.powi(127),
            ..LossScale::default()
        };
        (0..GROWTH_INTERVAL).for_each(|_| scale.went_well());
        assert_eq!(scale.factor, 2f64.powi(127));
    }
}
