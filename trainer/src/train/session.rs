//! The training loop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bunri_model::network::Signature;
use bunri_model::{Checkpoint, DeviceChoice, Provenance, Storage};
use indicatif::{ProgressBar, ProgressStyle};

use super::TrainConfig;
use super::batches::Batches;
use super::folder::RunFolder;
use super::generator::{Generator, StepReport};
use super::interruption::interruption;
use super::log::{Event, Log};
use super::means::Means;
use super::state::{self, Progress};
use super::validate::{Scores, Validation};
use crate::data::pool::Pool;
use crate::data::sampler::Sampler;
use crate::data::shard::Shard;

/// Steps whose mean goes into one line of the log.
const LOG_EVERY_STEPS: u64 = 20;

pub(super) fn train(
    config: &TrainConfig,
    stop_after: Option<u64>,
    init: Option<&Path>,
) -> Result<()> {
    if let Some(threads) = config.threads {
        tch::set_num_threads(threads);
    }
    let device = config.device.parse::<DeviceChoice>()?.resolve()?;
    let folder = RunFolder::create(&config.output)?;
    let generator = Generator::new(config, init, device)?;
    // A segment without frames left over: its output is what the loss looks at.
    let frames = generator.network.window().chunk_frames;
    let Signature { rate_hz, stems, .. } = generator.network.signature();
    let spinner = ProgressBar::new_spinner();
    let pool = Pool::load(&config.data.train, &stems, rate_hz, |song| {
        spinner.set_message(format!("decoding {song}"));
        spinner.tick();
    })?;
    let validation = Validation::load(
        &config.data.valid,
        &stems,
        rate_hz,
        frames,
        config.validation.segments_per_song,
    )?;
    spinner.finish_and_clear();
    let augment = config.augment.clone();
    let sampler = Arc::new(Sampler::new(pool, &stems, augment, frames, config.seed)?);
    let audio_seconds = frames as f64 * config.optimiser.batch as f64 / f64::from(rate_hz);
    let mut session = Session {
        config,
        folder,
        generator,
        progress: Progress::default(),
        validation,
        sampler,
        audio_seconds,
        saved: Instant::now(),
        interrupted: interruption()?,
    };
    session.resume()?;
    session.run(stop_after)
}

/// Everything that a run touches.
struct Session<'a> {
    config: &'a TrainConfig,
    folder: RunFolder,
    generator: Generator,
    progress: Progress,
    validation: Validation,
    sampler: Arc<Sampler>,
    /// What one step hears.
    audio_seconds: f64,
    saved: Instant,
    interrupted: Arc<AtomicBool>,
}

impl Session<'_> {
    /// Goes on where an earlier run of the same output stopped, or notes where this one starts, so
    /// that there always is a state to return to.
    fn resume(&mut self) -> Result<()> {
        if !self.folder.state.exists() {
            return self.save_state();
        }
        self.restore()?;
        let step = self.progress.step;
        eprintln!("resuming {} at step {step}", self.config.output.display());
        Ok(())
    }

    fn run(&mut self, stop_after: Option<u64>) -> Result<()> {
        let mut log = Log::open(&self.folder.log, self.progress.step)?;
        log.write(&Event::Start {
            step: self.progress.step,
            parameters: self.config.model.parameter_count(),
            config: self.config,
        });
        let steps = self.config.optimiser.steps;
        let last_step = steps.min(stop_after.unwrap_or(u64::MAX));
        let bar = progress_bar(last_step, self.progress.step);
        while let Err(Diverged(why)) = self.run_to(last_step, &mut log, &bar)? {
            self.return_to_last_good(&why, &mut log)?;
            bar.println(format!("{why}: back at step {}", self.progress.step));
        }
        self.save_state()?;
        bar.finish();
        if self.interrupted.load(Ordering::Relaxed) {
            let step = self.progress.step;
            eprintln!("stopped at step {step}: the same command resumes it");
        }
        Ok(())
    }

    /// Steps until the last one, an interruption or a divergence.
    fn run_to(
        &mut self,
        last_step: u64,
        log: &mut Log,
        bar: &ProgressBar,
    ) -> Result<Result<(), Diverged>> {
        let first_batch = self.progress.step + self.progress.passed_over;
        let parts = self.config.optimiser.accumulate;
        let shard = Shard::new(self.config.optimiser.batch, 0, 1)?;
        let batches = Batches::start(Arc::clone(&self.sampler), shard, first_batch)?;
        let mut means = Means::default();
        while self.progress.step < last_step && !self.interrupted.load(Ordering::Relaxed) {
            let started = Instant::now();
            let returns = self.progress.guard.returns;
            let learning_rate = self.config.optimiser.rate_at(self.progress.step)
                * self.config.guard.backoff.powi(returns as i32);
            let report = self.step(&batches, parts)?;
            let watch = &mut self.progress.guard;
            let step = self.progress.step;
            if let Some(why) = watch.look(&self.config.guard, step, report.loss, report.grad_norm) {
                return Ok(Err(Diverged(why)));
            }
            let longest = self.config.optimiser.clip_grad_norm;
            (self.generator).step(learning_rate, report.grad_norm, longest);
            let seconds = started.elapsed().as_secs_f64();
            self.progress.step += 1;
            self.progress.seconds += seconds;
            means.add(&report, seconds);
            self.after_step(last_step, learning_rate, &mut means, log, bar)?;
            bar.set_message(format!(
                "loss {:.4}  {:.1} s of audio/s",
                report.loss,
                self.audio_seconds / seconds
            ));
        }
        Ok(Ok(()))
    }

    /// Gradients of one batch, in `parts` one after another.
    fn step(&mut self, batches: &Batches, parts: usize) -> Result<StepReport> {
        let device = self.generator.network.device();
        let batch = batches.next()?.to_device(device);
        let mut report = StepReport::default();
        for part in batch.split(parts) {
            let share = 1.0 / parts as f64;
            let _ =
                (self.generator).learn_from(&part, share, &mut report, |_, _| Ok(Vec::new()))?;
        }
        report.grad_norm = self.generator.adam.grad_norm();
        Ok(report)
    }

    /// Log, validation and state, each when it is due.
    fn after_step(
        &mut self,
        last_step: u64,
        learning_rate: f64,
        means: &mut Means,
        log: &mut Log,
        bar: &ProgressBar,
    ) -> Result<()> {
        let step = self.progress.step;
        let is_last = step == last_step;
        bar.set_position(step);
        if step.is_multiple_of(LOG_EVERY_STEPS) {
            log.write(&means.take(step, learning_rate, self.audio_seconds));
        }
        let due = &self.config.validation;
        if step.is_multiple_of(due.every_steps) || is_last {
            self.validate(log, bar)?;
        }
        let minutes = Duration::from_secs_f64(60.0 * due.save_every_minutes);
        let is_time = step.is_multiple_of(due.save_every_steps) || self.saved.elapsed() >= minutes;
        if is_time && !is_last {
            // What was saved before lies there unharmed, and the disk may have room again.
            if let Err(error) = self.save_state() {
                let text = format!("step {step} was not saved, the run goes on: {error:#}");
                bar.println(&text);
                log.write(&Event::Notice { step, text: &text });
                self.saved = Instant::now();
            }
        }
        Ok(())
    }

    /// Takes up the last saved state, at a lower learning rate, and passes over the batches that led
    /// from there into the divergence.
    fn return_to_last_good(&mut self, why: &str, log: &mut Log) -> Result<()> {
        let returns = self.progress.guard.returns + 1;
        if returns > self.config.guard.max_returns {
            bail!(
                "training diverged: {why}. It returned to its last good state {} times at lower \
                 learning rates before. The state is kept: lower optimiser.learning_rate and run \
                 again",
                returns - 1
            );
        }
        let diverged_at = self.progress.step + self.progress.passed_over;
        self.restore()?;
        self.progress.guard.returns = returns;
        self.progress.passed_over = diverged_at + 1 - self.progress.step;
        let text = format!(
            "{why}: returned to step {}, learning rate times {}",
            self.progress.step,
            self.config.guard.backoff.powi(returns as i32)
        );
        let step = self.progress.step;
        log.write(&Event::Notice { step, text: &text });
        self.save_state()
    }

    fn validate(&mut self, log: &mut Log, bar: &ProgressBar) -> Result<()> {
        if self.validation.is_empty() {
            return Ok(());
        }
        let network = self.generator.shipped()?;
        let scores = self.validation.score(&*network);
        let step = self.progress.step;
        let is_best = self.progress.best.is_none_or(|(best, _)| scores.l1 < best);
        if is_best {
            self.progress.best = Some((scores.l1, step));
        }
        log.write(&Event::Validation {
            step,
            seconds: self.progress.seconds,
            is_best,
            scores: &scores,
        });
        bar.println(summary(step, &scores, is_best));
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

    fn save_state(&mut self) -> Result<()> {
        self.progress.balancer = self.generator.balancer.clone();
        state::save(
            &self.folder.state,
            &self.generator.adam.state(),
            &self.progress,
        )?;
        self.saved = Instant::now();
        Ok(())
    }

    fn restore(&mut self) -> Result<()> {
        let (tensors, progress) = state::load(&self.folder.state)?;
        (self.generator.adam)
            .restore(&tensors, progress.step)
            .with_context(|| format!("resuming from {}", self.folder.state.display()))?;
        self.generator.balancer = progress.balancer.clone();
        self.progress = progress;
        Ok(())
    }
}

/// Why a run has to return to its last good state.
struct Diverged(String);

fn progress_bar(last_step: u64, step: u64) -> ProgressBar {
    let style = "{bar:32} step {pos}/{len}  {msg}  {per_sec}  {eta} left";
    let bar = ProgressBar::new(last_step).with_position(step);
    bar.reset_eta();
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
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
