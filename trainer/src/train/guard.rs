//! Notices a training that diverges, so that it can return to its last good state.

use serde::{Deserialize, Serialize};

/// When a training counts as diverged, and how often it may return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardConfig {
    /// A loss of reconstruction above this many times its running mean is suspicious.
    pub factor: f64,
    /// So many suspicious steps one after another are a divergence. A loss or gradient that is not
    /// finite is one at once.
    pub patience: u64,
    /// Returns to the last saved state before the run gives up.
    pub max_returns: u32,
    /// The learning rate is multiplied by this at every return.
    pub backoff: f64,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            factor: 5.0,
            patience: 20,
            max_returns: 3,
            backoff: 0.5,
        }
    }
}

impl GuardConfig {
    /// What the learning rate is multiplied by after so many returns.
    pub(super) fn slowdown(&self, returns: u32) -> f64 {
        self.backoff.powi(returns as i32)
    }
}

/// What the guard remembers; part of a run's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guard {
    /// Running sum and weight of the losses.
    mean: (f64, f64),
    /// Suspicious steps in a row.
    suspicious: u64,
    /// Returns so far.
    pub(super) returns: u32,
}

impl Guard {
    /// Running mean per step.
    const DECAY: f64 = 0.99;
    /// Steps before the mean is worth comparing with.
    const SETTLED: u64 = 50;

    /// Looks at one step's loss of reconstruction and gradient length, and says why it is a
    /// divergence, if it is one.
    pub(super) fn look(
        &mut self,
        config: &GuardConfig,
        step: u64,
        loss: f64,
        grad_norm: f64,
    ) -> Option<String> {
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Some(format!(
                "at step {step} the loss is {loss} and the gradient's length {grad_norm}"
            ));
        }
        let mean = self.mean.0 / self.mean.1.max(1.0);
        // SI-SDR is negative where all is well: distances are counted from zero.
        if step >= Self::SETTLED && mean > 0.0 && loss > config.factor * mean {
            self.suspicious += 1;
        } else {
            self.suspicious = 0;
            self.mean = (
                self.mean.0 * Self::DECAY + loss,
                self.mean.1 * Self::DECAY + 1.0,
            );
        }
        (self.suspicious >= config.patience).then(|| {
            format!(
                "up to step {step} the loss was above {} times its mean of {mean:.4} for {} steps \
                 ({loss:.4} at last)",
                config.factor, self.suspicious
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_a_divergence_at_once() {
        let config = GuardConfig::default();
        for (loss, grad_norm) in [(f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            assert!(Guard::default().look(&config, 0, loss, grad_norm).is_some());
        }
    }

    /// Guards against a return for one bad batch, and against a mean that follows a divergence.
    #[test]
    fn only_a_lasting_rise_is_a_divergence() {
        let config = GuardConfig::default();
        let mut guard = Guard::default();
        let mut step = 0;
        let mut looks = |guard: &mut Guard, loss, steps| {
            let mut diverged = None;
            for _ in 0..steps {
                diverged = diverged.or(guard.look(&config, step, loss, 1.0));
                step += 1;
            }
            diverged
        };
        assert_eq!(looks(&mut guard, 1.0, 100), None);
        assert_eq!(looks(&mut guard, 40.0, 19), None);
        assert_eq!(looks(&mut guard, 1.1, 1), None);
        let why = looks(&mut guard, 40.0, 20).unwrap();
        assert!(why.contains("5 times its mean of 1.0"), "{why}");
    }
}
