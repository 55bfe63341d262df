//! What a training run is made of: one TOML file.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bunri_model::NetworkConfig;
use serde::{Deserialize, Serialize};

use super::guard::GuardConfig;
use super::{AdamConfig, ComputeConfig, overrides};
use crate::adversarial::AdversarialConfig;
use crate::data::augment::AugmentConfig;
use crate::data::pool::SongSource;
use crate::distributed::DistributedConfig;
use crate::losses::LossConfig;

/// A whole run. Paths are relative to the folder the command runs in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Folder for checkpoints, state and log; made where missing.
    pub output: PathBuf,
    /// Seed of the weights and of every example.
    #[serde(default)]
    pub seed: u64,
    /// What the weights were trained on and under which licence they may be given away.
    pub card: CardConfig,
    /// The network.
    pub model: NetworkConfig,
    /// The songs.
    pub data: DataConfig,
    /// How examples are varied.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// What is minimised.
    #[serde(default)]
    pub loss: LossConfig,
    /// Discriminators beside it; none where left out.
    #[serde(default)]
    pub adversarial: Option<AdversarialConfig>,
    /// How the weights are moved.
    pub optimiser: OptimiserConfig,
    /// How often to look and to save.
    #[serde(default)]
    pub validation: ValidationConfig,
    /// How several processes train together.
    #[serde(default)]
    pub distributed: DistributedConfig,
    /// What happens to a training that diverges.
    #[serde(default)]
    pub guard: GuardConfig,
    /// How exact, and how fast.
    #[serde(default)]
    pub compute: ComputeConfig,
    /// Where to compute: `auto`, `cpu`, `cuda`, `cuda:N`.
    #[serde(default = "auto")]
    pub device: String,
    /// CPU threads of libtorch; its own choice where left out.
    #[serde(default)]
    pub threads: Option<i32>,
}

fn auto() -> String {
    "auto".into()
}

/// What goes into the checkpoint's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardConfig {
    /// The training data in words, each source with its licence.
    pub data: String,
    /// Licence of the weights, with the credits that it asks for.
    pub licence: String,
}

/// Songs to learn from and to be measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Training songs.
    pub train: Vec<SongSource>,
    /// Songs that nothing learns from, on which the discriminators' overfitting shows.
    #[serde(default)]
    pub held_out: Vec<SongSource>,
    /// Validation songs; a source's `stems` are those that are scored.
    pub valid: Vec<SongSource>,
    /// Folder for decoded songs, on a disk with 10.6 MB a minute and stem at 44.1 kHz. Runs with
    /// the same songs may share it. Where left out: `bunri-cache` beside the run's folder, which
    /// the runs of one folder so share.
    #[serde(default)]
    pub cache: Option<PathBuf>,
    /// Stops at a song that cannot be read, instead of naming it and going on without it.
    #[serde(default)]
    pub strict: bool,
}

/// Adam and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimiserConfig {
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps over which the rate rises from 0.
    pub warmup_steps: u64,
    /// Steps in all; the rate falls to 0 over the last `decay_steps` of them.
    pub steps: u64,
    /// Steps over which the rate falls, along a half cosine; 0 keeps it constant.
    pub decay_steps: u64,
    /// Examples per step, over all ranks.
    pub batch: usize,
    /// Parts in which each rank computes its examples of a step, one after another: memory for
    /// time.
    pub accumulate: usize,
    /// Gradients longer than this are shortened to it; 0 leaves them.
    pub clip_grad_norm: f64,
    /// Decay per step of the means of gradients and of their squares.
    pub betas: [f64; 2],
    /// Share of the learning rate by which weights shrink per step (AdamW); 0 is Adam.
    pub weight_decay: f64,
    /// Decay per step of the averaged weights that are validated and shipped; 0 ships the raw ones.
    pub ema_decay: f64,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-4,
            warmup_steps: 0,
            steps: 100_000,
            decay_steps: 0,
            batch: 64,
            accumulate: 1,
            clip_grad_norm: 0.0,
            betas: AdamConfig::default().betas,
            weight_decay: 0.0,
            ema_decay: 0.0,
        }
    }
}

/// When to validate and save.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// Steps between validations.
    pub every_steps: u64,
    /// Steps between measurements of the discriminators' overfitting.
    pub measure_every_steps: u64,
    /// Batches of learned and of held-out examples for each measurement.
    pub measure_batches: u64,
    /// Steps between saves of the training state.
    pub save_every_steps: u64,
    /// Minutes after which the training state is saved at the latest.
    pub save_every_minutes: f64,
    /// Segments taken from each validation song, evenly spread over it; 0 takes whole songs, segment
    /// after segment.
    pub segments_per_song: usize,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self {
            every_steps: 500,
            measure_every_steps: 100,
            measure_batches: 4,
            save_every_steps: 100,
            save_every_minutes: 10.0,
            segments_per_song: 16,
        }
    }
}

impl TrainConfig {
    /// Reads and checks a config: files, later ones laid over earlier ones, and fields set on the
    /// command line, `section.field=value`.
    ///
    /// # Errors
    /// Unknown or missing fields with their place in the file; values that cannot work.
    pub fn load(files: &[PathBuf], overrides: &[String]) -> Result<Self> {
        let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
        let explain = || format!("in the config {}", names.join(" + "));
        let read = |file: &PathBuf| {
            std::fs::read_to_string(file)
                .with_context(|| format!("reading the config {}", file.display()))
        };
        let config: Self = match (files, overrides) {
            // Straight from the text: errors then show the line.
            ([file], []) => toml::from_str(&read(file)?).with_context(explain)?,
            _ => {
                let mut table = toml::Table::new();
                for file in files {
                    let above = toml::from_str(&read(file)?);
                    overrides::lay(&mut table, above.with_context(explain)?);
                }
                for text in overrides {
                    overrides::set(&mut table, text)?;
                }
                table.try_into().with_context(explain)?
            }
        };
        config.validate().with_context(explain)?;
        Ok(config)
    }

    /// Where decoded songs lie.
    #[must_use]
    pub fn cache_folder(&self) -> PathBuf {
        let beside = || self.output.with_file_name("bunri-cache");
        self.data.cache.clone().unwrap_or_else(beside)
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        ensure!(
            self.model.signature().channels == 2,
            "training works on stereo: set audio_channels = 2"
        );
        ensure!(!self.data.train.is_empty(), "data.train lists no songs");
        ensure!(
            self.optimiser.batch > 0,
            "optimiser.batch must be at least 1"
        );
        ensure!(
            self.optimiser.accumulate > 0
                && self
                    .optimiser
                    .batch
                    .is_multiple_of(self.optimiser.accumulate),
            "optimiser.accumulate must divide optimiser.batch, got {} of {}",
            self.optimiser.accumulate,
            self.optimiser.batch
        );
        ensure!(
            self.optimiser.learning_rate > 0.0,
            "optimiser.learning_rate must be above 0"
        );
        self.optimiser.adam().validate().context("in [optimiser]")?;
        self.compute.validate(&self.model)?;
        self.loss.validate()?;
        if let Some(adversarial) = &self.adversarial {
            adversarial.validate()?;
        }
        self.distributed.validate()?;
        ensure!(
            self.validation.every_steps > 0,
            "validation.every_steps must be at least 1"
        );
        ensure!(
            self.validation.measure_every_steps > 0 && self.validation.measure_batches > 0,
            "validation.measure_every_steps and measure_batches must be at least 1"
        );
        ensure!(
            self.validation.save_every_steps > 0,
            "validation.save_every_steps must be at least 1"
        );
        Ok(())
    }
}

impl OptimiserConfig {
    /// What Adam itself has to know.
    pub(crate) fn adam(&self) -> AdamConfig {
        AdamConfig {
            betas: self.betas,
            weight_decay: self.weight_decay,
            ema_decay: self.ema_decay,
        }
    }

    /// Learning rate of a step, counted from 0.
    #[must_use]
    pub fn rate_at(&self, step: u64) -> f64 {
        let warmup = if step < self.warmup_steps {
            (step + 1) as f64 / self.warmup_steps as f64
        } else {
            1.0
        };
        let decay_start = self.steps.saturating_sub(self.decay_steps);
        let decay = if self.decay_steps > 0 && step > decay_start {
            let progress = (step - decay_start) as f64 / self.decay_steps as f64;
            0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
        } else {
            1.0
        };
        self.learning_rate * warmup * decay
    }
}
