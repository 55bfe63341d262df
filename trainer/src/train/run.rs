//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bunri_model::network::{Signature, center_trim};
use bunri_model::{Checkpoint, DeviceChoice, Provenance, Storage, Trainable};
use indicatif::{ProgressBar, ProgressStyle};
use tch::Kind;

use super::TrainConfig;
use super::adam::Adam;
use super::batches::Batches;
use super::log::{Event, Log};
use super::state::{self, Progress};
use super::validate::{Scores, Validation};
use crate::data::pool::Pool;
use crate::data::sampler::Sampler;
use crate::data::shard::Shard;

/// Steps whose mean goes into one line of the log.
const LOG_EVERY_STEPS: u64 = 20;

/// Files of a run.
struct RunFolder {
    state: PathBuf,
    best: PathBuf,
    last: PathBuf,
    log: PathBuf,
}

impl RunFolder {
    fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the run's folder {}", folder.display()))?;
        Ok(Self {
            state: folder.join("state.safetensors"),
            best: folder.join("best.safetensors"),
            last: folder.join("last.safetensors"),
            log: folder.join("log.jsonl"),
        })
    }
}

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
    let network = match init {
        None => config.model.clone().untrained(config.seed as i64, device)?,
        Some(path) => Checkpoint::load(path, device)?.network,
    };
    ensure!(
        network.config() == config.model,
        "--init: the checkpoint has another [model] config"
    );
    for parameter in network.parameters().values() {
        let _ = parameter.set_requires_grad(true);
    }
    let mut adam = Adam::new(network.parameters(), config.optimiser.adam());
    let mut progress = Progress {
        step: 0,
        best: None,
        seconds: 0.0,
    };
    if folder.state.exists() {
        progress = state::load(&folder.state, &mut adam)?;
        eprintln!(
            "resuming {} at step {}",
            config.output.display(),
            progress.step
        );
    }
    // A segment without frames left over: its output is what the loss looks at.
    let frames = network.window().chunk_frames;
    let Signature { rate_hz, stems, .. } = network.signature();
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
    let sampler = Arc::new(Sampler::new(
        pool,
        &stems,
        config.augment.clone(),
        frames,
        config.seed,
    )?);
    let mut session = Session {
        config,
        folder,
        network,
        adam,
        progress,
        validation,
    };
    session.run(sampler, stop_after)
}

/// Everything that a step touches.
struct Session<'a> {
    config: &'a TrainConfig,
    folder: RunFolder,
    network: Box<dyn Trainable>,
    adam: Adam,
    progress: Progress,
    validation: Validation,
}

impl Session<'_> {
    fn run(&mut self, sampler: Arc<Sampler>, stop_after: Option<u64>) -> Result<()> {
        let mut log = Log::open(&self.folder.log)?;
        log.write(&Event::Start {
            step: self.progress.step,
            parameters: self.config.model.parameter_count(),
            config: self.config,
        })?;
        let last_step = self
            .config
            .optimiser
            .steps
            .min(stop_after.unwrap_or(u64::MAX));
        let interrupted = interruption()?;
        let batches = Batches::start(
            sampler,
            Shard::new(self.config.optimiser.batch, 0, 1)?,
            self.progress.step,
        )?;
        let bar = progress_bar(last_step, self.progress.step);
        let mut means = Means::default();
        while self.progress.step < last_step && !interrupted.load(Ordering::Relaxed) {
            let started = Instant::now();
            let learning_rate = self.config.optimiser.rate_at(self.progress.step);
            let (loss, grad_norm) = self.step(&batches, learning_rate)?;
            self.progress.step += 1;
            self.progress.seconds += started.elapsed().as_secs_f64();
            means.add(loss, grad_norm, started.elapsed().as_secs_f64());
            let step = self.progress.step;
            bar.set_position(step);
            bar.set_message(format!("L1 {loss:.4}"));
            if step.is_multiple_of(LOG_EVERY_STEPS) {
                log.write(&means.take(step, learning_rate))?;
            }
            let is_last = step == last_step;
            if step.is_multiple_of(self.config.validation.every_steps) || is_last {
                self.validate(&mut log, &bar)?;
            }
            if step.is_multiple_of(self.config.validation.save_every_steps) || is_last {
                self.save_state()?;
            }
        }
        self.save_state()?;
        bar.finish();
        if interrupted.load(Ordering::Relaxed) {
            eprintln!(
                "stopped at step {}: the same command resumes it",
                self.progress.step
            );
        }
        Ok(())
    }

    /// One batch forward and back: its loss, and the gradient's length before clipping.
    fn step(&mut self, batches: &Batches, learning_rate: f64) -> Result<(f64, f64)> {
        let batch = batches.next()?.to_device(self.network.device());
        let estimates = self.network.forward(&batch.mixture); // [batch, stems, channels, output frames]
        let frames = estimates.size()[3];
        let errors = (&estimates - center_trim(&batch.stems, frames)).abs();
        let errors = errors.mean_dim([2, 3].as_slice(), false, Kind::Float); // [batch, stems]
        // Stems that nobody knows say nothing: neither that they are silent nor what they are.
        let known = batch.usable.sum(Kind::Float).clamp_min(1.0);
        let loss = (errors * &batch.usable).sum(Kind::Float) / known;
        self.adam.zero_grad();
        loss.backward();
        let grad_norm = self.adam.grad_norm();
        let loss = loss.double_value(&[]);
        if !loss.is_finite() || !grad_norm.is_finite() {
            bail!(
                "training diverged at step {} (loss {loss}, gradient {grad_norm}): lower \
                 optimiser.learning_rate and run again, it resumes from the last saved state",
                self.progress.step
            );
        }
        let longest = self.config.optimiser.clip_grad_norm;
        let scale = if longest > 0.0 && grad_norm > longest {
            longest / grad_norm
        } else {
            1.0
        };
        self.adam.step(learning_rate, scale);
        Ok((loss, grad_norm))
    }

    fn validate(&mut self, log: &mut Log, bar: &ProgressBar) -> Result<()> {
        if self.validation.is_empty() {
            return Ok(());
        }
        let weights = self.adam.shipped_weights();
        let network = (self.config.model.clone()).build(weights, self.network.device())?;
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
        })?;
        bar.println(summary(step, &scores, is_best));
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
        let notes = [
            ("config".to_owned(), serde_json::to_value(self.config)?),
            (
                "training_seconds".to_owned(),
                self.progress.seconds.round().into(),
            ),
        ];
        Ok(Provenance {
            data: self.config.card.data.clone(),
            steps: self.progress.step,
            seed: self.config.seed,
            metrics,
            notes: notes.into(),
        })
    }

    fn save_state(&self) -> Result<()> {
        state::save(&self.folder.state, &self.adam, &self.progress)
    }
}

/// Sums since the last line of the log.
#[derive(Default)]
struct Means {
    loss: f64,
    grad_norm: f64,
    seconds: f64,
    steps: f64,
}

impl Means {
    fn add(&mut self, loss: f64, grad_norm: f64, seconds: f64) {
        self.loss += loss;
        self.grad_norm += grad_norm;
        self.seconds += seconds;
        self.steps += 1.0;
    }

    fn take(&mut self, step: u64, learning_rate: f64) -> Event<'static> {
        let Self {
            loss,
            grad_norm,
            seconds,
            steps,
        } = std::mem::take(self);
        Event::Steps {
            step,
            loss: loss / steps,
            grad_norm: grad_norm / steps,
            learning_rate,
            seconds_per_step: seconds / steps,
        }
    }
}

/// Set when the user or the machine asks the run to end; the step in hand is finished and saved.
fn interruption() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let setter = Arc::clone(&flag);
    ctrlc::set_handler(move || setter.store(true, Ordering::Relaxed))
        .context("catching Ctrl-C and SIGTERM")?;
    Ok(flag)
}

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
