//! The training loop.
//!
//! `setup` puts a run together, `step` is one step, `due` what follows some of them.

mod due;
mod setup;
mod step;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;
pub(super) use setup::train;

use super::TrainConfig;
use super::batches::Batches;
use super::config_difference::differences;
use super::console::Console;
use super::folder::RunFolder;
use super::generator::Generator;
use super::interruption::Interruption;
use super::log::{Event, Log};
use super::means::Means;
use super::opponent::Opponent;
use super::state::{self, Progress};
use super::validate::Validation;
use crate::data::sampler::Sampler;
use crate::data::shard::Shard;
use crate::distributed::Cluster;
use crate::output::eprint_line;
use crate::run_log;

/// Everything that a run touches.
pub(super) struct Session<'a> {
    cluster: &'a Cluster,
    config: &'a TrainConfig,
    folder: RunFolder,
    generator: Generator,
    opponent: Option<Opponent>,
    progress: Progress,
    validation: Validation,
    sampler: Arc<Sampler>,
    /// What one step hears.
    audio_seconds: f64,
    saved: Instant,
    interruption: Interruption,
}

impl Session<'_> {
    /// Goes on where an earlier run of the same output stopped, or notes where this one starts, so
    /// that there always is a state to return to.
    fn resume(&mut self) -> Result<()> {
        // Songs take some ranks longer than others, maybe longer than a collective waits.
        self.cluster.barrier()?;
        // As rank 0 sees it: where one rank finds no state, all start anew.
        let is_first = self.cluster.is_first();
        if !(self.cluster).any(is_first && self.folder.state.exists())? {
            return self.save_state();
        }
        self.restore().with_context(|| self.why_not_resumed())?;
        let (step, steps) = (self.progress.step, self.config.optimiser.steps);
        if is_first && step < steps {
            eprint_line!("resuming {} at step {step}", self.config.output.display());
        }
        Ok(())
    }

    /// Why a state of this output may not fit, and what to do.
    fn why_not_resumed(&self) -> String {
        let output = self.config.output.display();
        let here = serde_json::to_value(self.config).unwrap_or_default();
        let log = run_log::read(&self.folder.log).unwrap_or_default();
        let there = log.iter().rev().find_map(|entry| entry.value.get("config"));
        let differing = |there: &Value| {
            let of_part = |part: &&str| differences(part, &there[*part], &here[*part]);
            ["model", "adversarial"].iter().flat_map(of_part).collect()
        };
        let differing: Vec<String> = there.map(differing).unwrap_or_default();
        let why = match differing.is_empty() {
            true => String::new(),
            false => format!(" its networks are others: {};", differing.join(", ")),
        };
        format!(
            "the run in {output} cannot be resumed:{why} set the config back, or choose another output"
        )
    }

    /// Says where a run that has nothing more to do stands.
    fn say_end(&self, console: &Console, stop_after: Option<u64>) {
        let (step, steps) = (self.progress.step, self.config.optimiser.steps);
        let output = self.config.output.display();
        console.say(&match (step >= steps, stop_after) {
            (true, _) => format!(
                "{output} is finished: {step} of {steps} steps are done; raise optimiser.steps to go on"
            ),
            (false, Some(stop)) if step >= stop => format!(
                "stopped at step {step} of {steps}, as --stop-after says: without it the same command \
                 resumes"
            ),
            (false, _) => format!("stopped at step {step}: the same command resumes it"),
        });
    }

    fn run(&mut self, stop_after: Option<u64>) -> Result<()> {
        let is_first = self.cluster.is_first();
        let steps = self.config.optimiser.steps;
        let last_step = steps.min(stop_after.unwrap_or(u64::MAX));
        let mut console = Console::training(is_first, last_step, self.progress.step);
        if self.progress.step >= last_step {
            self.say_end(&console, stop_after);
            return Ok(());
        }
        let mut log = if is_first {
            Log::open(&self.folder.log, self.progress.step)?
        } else {
            Log::nowhere()
        };
        log.write(&Event::Start {
            step: self.progress.step,
            parameters: self.config.model.parameter_count(),
            config: self.config,
        });
        while let Err(Diverged(why)) = self.run_to(last_step, &mut log, &mut console)? {
            self.return_to_last_good(&why, &mut log)?;
            console.say(&format!("{why}: back at step {}", self.progress.step));
        }
        self.save_state()?;
        console.finish();
        self.say_end(&console, stop_after);
        Ok(())
    }

    /// Steps until the last one, an interruption or a divergence.
    fn run_to(
        &mut self,
        last_step: u64,
        log: &mut Log,
        console: &mut Console,
    ) -> Result<Result<(), Diverged>> {
        let first_batch = self.progress.step + self.progress.passed_over;
        let (rank, world) = (self.cluster.rank(), self.cluster.world());
        let shard = Shard::new(self.config.optimiser.batch, rank, world)?;
        let batches = Batches::start(Arc::clone(&self.sampler), shard, first_batch)?;
        let mut means = Means::default();
        while self.progress.step < last_step {
            let started = Instant::now();
            let step = self.progress.step;
            self.cluster.at_step(step);
            let returns = self.progress.guard.returns;
            let learning_rate =
                self.config.optimiser.rate_at(step) * self.config.guard.slowdown(returns);
            let (report, call) = self.step(&batches, learning_rate)?;
            if let Some(why) = call.diverged {
                return Ok(Err(Diverged(why)));
            }
            let seconds = started.elapsed().as_secs_f64();
            self.progress.step += 1;
            self.progress.seconds += seconds;
            means.add(&report, seconds);
            let audio_per_second = self.audio_seconds / seconds;
            console.step(self.progress.step, report.loss, audio_per_second);
            let is_time = call.is_time;
            self.after_step(last_step, learning_rate, is_time, &mut means, log, console)?;
            if call.is_interrupted {
                break;
            }
        }
        Ok(Ok(()))
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
        // Rank 0's last save is whole on the disk before any rank reads it.
        self.cluster.barrier()?;
        let diverged_at = self.progress.step + self.progress.passed_over;
        self.restore()?;
        self.progress.guard.returns = returns;
        self.progress.passed_over = diverged_at + 1 - self.progress.step;
        let text = format!(
            "{why}: returned to step {}, learning rate times {}",
            self.progress.step,
            self.config.guard.slowdown(returns)
        );
        let step = self.progress.step;
        log.write(&Event::Notice { step, text: &text });
        self.save_state()
    }

    fn save_state(&mut self) -> Result<()> {
        self.progress.balancer = self.generator.balancer.clone();
        self.progress.loss_scale = self.generator.loss_scale.clone();
        let mut tensors = self.generator.adam.state();
        if let Some(opponent) = &self.opponent {
            opponent.save(&mut tensors, &mut self.progress);
        }
        if self.cluster.is_first() {
            state::save(&self.folder.state, &tensors, &self.progress)?;
        }
        self.saved = Instant::now();
        Ok(())
    }

    fn restore(&mut self) -> Result<()> {
        let (tensors, progress) = state::load(&self.folder.state)?;
        let (scale, balancer) = (progress.loss_scale.clone(), progress.balancer.clone());
        (self.generator)
            .restore(&tensors, progress.step, scale, balancer)
            .with_context(|| format!("resuming from {}", self.folder.state.display()))?;
        if let Some(opponent) = &mut self.opponent {
            opponent.restore(&tensors, &progress)?;
        }
        self.progress = progress;
        Ok(())
    }
}

/// Why a run has to return to its last good state.
struct Diverged(String);
