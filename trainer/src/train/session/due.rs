//! What is due after some of a run's steps: log, measurement, validation, saves.

use std::time::Instant;

use anyhow::Result;
use bunri_model::{Checkpoint, Provenance, Storage};

use super::Session;
use crate::train::console::Console;
use crate::train::log::{Event, Log};
use crate::train::means::Means;
use crate::train::validate::Scores;

/// Steps whose mean goes into one line of the log.
const LOG_EVERY_STEPS: u64 = 20;

impl Session<'_> {
    /// Log, validation and state, each when it is due.
    pub(super) fn after_step(
        &mut self,
        last_step: u64,
        learning_rate: f64,
        is_time: bool,
        means: &mut Means,
        log: &mut Log,
        console: &Console,
    ) -> Result<()> {
        let step = self.progress.step;
        let is_last = step == last_step;
        if step.is_multiple_of(LOG_EVERY_STEPS) {
            log.write(&means.take(step, learning_rate, self.audio_seconds));
        }
        let due = &self.config.validation;
        if step.is_multiple_of(due.measure_every_steps)
            && let Some(opponent) = &mut self.opponent
        {
            let network = &*self.generator.network;
            let report = opponent.measure(network, &self.sampler, &self.progress, self.cluster)?;
            log.write(&Event::Overfitting {
                step,
                report: &report,
            });
        }
        if step.is_multiple_of(due.every_steps) || is_last {
            self.validate(log, console)?;
        }
        let is_due = is_time || step.is_multiple_of(self.config.validation.save_every_steps);
        if is_due && !is_last {
            // What was saved before lies there unharmed, and the disk may have room again.
            if let Err(error) = self.save_state() {
                let text = format!("step {step} was not saved, the run goes on: {error:#}");
                console.say(&text);
                log.write(&Event::Notice { step, text: &text });
                self.saved = Instant::now();
            }
        }
        Ok(())
    }

    fn validate(&mut self, log: &mut Log, console: &Console) -> Result<()> {
        if self.validation.is_empty() {
            return Ok(());
        }
        let network = self.generator.shipped()?;
        let scores = self.validation.score(&*network, self.cluster)?;
        let step = self.progress.step;
        // Nothing is lower than a NaN that came first.
        let is_lower = |(best, _)| scores.l1 < best;
        let is_best = !scores.l1.is_nan() && self.progress.best.is_none_or(is_lower);
        if is_best {
            self.progress.best = Some((scores.l1, step));
        }
        log.write(&Event::Validation {
            step,
            seconds: self.progress.seconds,
            is_best,
            scores: &scores,
        });
        if !self.cluster.is_first() {
            return Ok(());
        }
        console.say(&summary(step, &scores, is_best));
        if log.wants_stems(step) {
            let rate_hz = network.signature().rate_hz;
            log.stems(step, &self.validation.listen(&*network, rate_hz), rate_hz);
        }
        let checkpoint = Checkpoint {
            network,
            provenance: self.provenance(&scores)?,
            licence: self.config.card.licence.clone(),
        };
        checkpoint.save(&self.folder.last, Storage::F32)?;
        if is_best {
            checkpoint.save(&self.folder.best, Storage::F32)?;
        }
        Ok(())
    }

    fn provenance(&self, scores: &Scores) -> Result<Provenance> {
        let mut metrics = std::collections::BTreeMap::from([("valid_l1".to_owned(), scores.l1)]);
        for (song, stems) in &scores.nsdr_db {
            for (stem, ratio) in stems {
                metrics.insert(format!("valid_segments_nsdr_db/{song}/{stem}"), *ratio);
            }
        }
        // JSON has no other numbers, and a card with `null` could not be read back.
        metrics.retain(|_, value| value.is_finite());
        let seconds = self.progress.seconds.round().into();
        let notes = [
            ("config".to_owned(), serde_json::to_value(self.config)?),
            ("training_seconds".to_owned(), seconds),
        ];
        Ok(Provenance {
            data: self.config.card.data.clone(),
            steps: self.progress.step,
            seed: self.config.seed,
            metrics,
            notes: notes.into(),
        })
    }
}

fn summary(step: u64, scores: &Scores, is_best: bool) -> String {
    let mut sums: std::collections::BTreeMap<&str, (f64, usize)> = Default::default();
    for (stem, ratio) in scores.nsdr_db.values().flatten() {
        let sum = sums.entry(stem).or_default();
        sum.0 += ratio;
        sum.1 += 1;
    }
    let stems: Vec<String> = sums
        .iter()
        .map(|(stem, (sum, count))| format!("{stem} {:.2}", sum / *count as f64))
        .collect();
    let mark = if is_best { "  (best)" } else { "" };
    format!(
        "step {step}: valid L1 {:.5}, nSDR dB {}{mark}",
        scores.l1,
        stems.join(" ")
    )
}
