//! Means of the steps between two lines of the log.

use std::collections::BTreeMap;

use super::generator::StepReport;
use super::log::Event;

/// Sums since the last line.
#[derive(Default)]
pub(super) struct Means {
    loss: f64,
    losses: BTreeMap<String, f64>,
    grad_norm: f64,
    seconds: f64,
    steps: f64,
}

impl Means {
    pub(super) fn add(&mut self, report: &StepReport, seconds: f64) {
        self.loss += report.loss;
        for (name, loss) in &report.losses {
            *self.losses.entry(name.clone()).or_default() += loss;
        }
        self.grad_norm += report.grad_norm;
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
            seconds,
            steps,
        } = std::mem::take(self);
        let seconds_per_step = seconds / steps;
        Event::Steps {
            step,
            loss: loss / steps,
            losses: losses
                .into_iter()
                .map(|(name, sum)| (name, sum / steps))
                .collect(),
            grad_norm: grad_norm / steps,
            learning_rate,
            seconds_per_step,
            audio_seconds_per_second: audio_seconds / seconds_per_step,
        }
    }
}
