//! Means of the steps between two lines of the log.

use std::collections::BTreeMap;

use super::generator::StepReport;
use super::log::Event;

/// Sums since the last line.
#[derive(Default)]
pub(super) struct Means {
    loss: f64,
    /// Sum and number of each.
    losses: BTreeMap<String, (f64, f64)>,
    grad_norm: f64,
    /// Steps that have a loss and a gradient.
    learned: f64,
    seconds: f64,
    steps: f64,
}

impl Means {
    pub(super) fn add(&mut self, report: &StepReport, seconds: f64) {
        // What overflowed has infinite losses, or gradients: all but that it happened is left out.
        let is_known = |name: &str| !report.has_overflowed || name.starts_with("scale/");
        for (name, loss) in report.losses.iter().filter(|(name, _)| is_known(name)) {
            let sum = self.losses.entry(name.clone()).or_default();
            *sum = (sum.0 + loss, sum.1 + 1.0);
        }
        if !report.has_overflowed {
            self.loss += report.loss;
            self.grad_norm += report.grad_norm;
            self.learned += 1.0;
        }
        self.seconds += seconds;
        self.steps += 1.0;
    }

    /// The line, `audio_seconds` being what one step hears.
    pub(super) fn take(
        &mut self,
        step: u64,
        learning_rate: f64,
        audio_seconds: f64,
    ) -> Event<'static> {
        let Self {
            loss,
            losses,
            grad_norm,
            learned,
            seconds,
            steps,
        } = std::mem::take(self);
        let seconds_per_step = seconds / steps;
        Event::Steps {
            step,
            loss: loss / learned,
            losses: losses
                .into_iter()
                .map(|(name, (sum, count))| (name, sum / count))
                .collect(),
            grad_norm: grad_norm / learned,
            learning_rate,
            seconds_per_step,
            audio_seconds_per_second: audio_seconds / seconds_per_step,
        }
    }
}
