//! Training, resumable at any moment.
//!
//! ```text
//! TrainConfig ─ Pool ─ Sampler ─ Batches ─ Generator ─ Guard ─ Validation ─ best.safetensors
//!                                  │       ↑↓    └─ state.safetensors (every few steps)
//!                                  └──── Opponent (discriminators, held-out songs)
//! ```
//!
//! On several processes each has this loop with its share of every batch; gradients are averaged,
//! decisions are taken on sums over all of them, and rank 0 writes.

pub(crate) mod adam;
pub(crate) mod batches;
mod beginning;
mod compute;
mod config;
mod config_difference;
mod console;
mod folder;
pub(crate) mod generator;
mod guard;
mod interruption;
mod log;
mod loss_scale;
mod means;
mod opponent;
mod overrides;
mod session;
mod state;
mod validate;

use std::path::PathBuf;

pub use adam::AdamConfig;
use anyhow::Result;
pub use compute::ComputeConfig;
pub use config::{CardConfig, DataConfig, OptimiserConfig, TrainConfig, ValidationConfig};
pub use guard::GuardConfig;

/// Command line of `trainer train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's config file (TOML); given several times, later files lie over earlier ones.
    #[arg(long, required = true)]
    pub config: Vec<PathBuf>,
    /// Set a field of the config: `--set optimiser.steps=200`, as often as needed.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub overrides: Vec<String>,
    /// Stop after this step, with the state saved, whatever the config says.
    #[arg(long)]
    pub stop_after: Option<u64>,
    /// CPU threads of libtorch, in place of the config's.
    #[arg(long)]
    pub threads: Option<i32>,
    /// Start from the weights of this checkpoint instead of random ones.
    #[arg(long)]
    pub init: Option<PathBuf>,
}

/// Trains until the config's last step, resuming where an earlier run of the same output stopped.
///
/// # Errors
/// A bad config, songs that do not load, a training that diverged, a disk that is full.
pub fn run(args: Args) -> Result<()> {
    let mut config = TrainConfig::load(&args.config, &args.overrides)?;
    config.threads = args.threads.or(config.threads);
    session::train(&config, args.stop_after, args.init.as_deref())
}
