//! Training: one process, L1, Adam, resumable.
//!
//! ```text
//! TrainConfig ─ Pool ─ Sampler ─ Batches ─ L1 ─ Adam ─ Validation ─ best.safetensors
//!                                              └─ state.safetensors (every few steps)
//! ```

pub(crate) mod adam;
mod batches;
mod config;
mod log;
mod run;
mod state;
mod validate;

use std::path::PathBuf;

pub use adam::AdamConfig;
use anyhow::Result;
pub use config::{CardConfig, DataConfig, OptimiserConfig, TrainConfig, ValidationConfig};

/// Command line of `trainer train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's config file (TOML).
    #[arg(long)]
    pub config: PathBuf,
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
    let mut config = TrainConfig::load(&args.config)?;
    config.threads = args.threads.or(config.threads);
    run::train(&config, args.stop_after, args.init.as_deref())
}
