//! `trainer export`: from a run's checkpoint to the file that is given away.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bunri_model::{Checkpoint, Storage};
use clap::ValueEnum;
use serde_json::Value;

use crate::evaluate::baselines::MODEL;
use crate::output::{eprint_line, print_line};
use crate::output_file::check_output;

/// Command line of `trainer export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The checkpoint to give away, e.g. a run's `best.safetensors`.
    checkpoint: PathBuf,
    /// Where to write it.
    #[arg(short, long)]
    output: PathBuf,
    /// How to store the weights.
    #[arg(long, value_enum, default_value_t = StorageArg::F16)]
    storage: StorageArg,
    /// Put the figures of an evaluation (`trainer evaluate --json FILE`) on the model's card,
    /// under this name.
    #[arg(long, value_name = "NAME=FILE")]
    figures: Vec<String>,
}

/// How to store weights.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StorageArg {
    /// Exact.
    F32,
    /// Half the size.
    F16,
}

impl From<StorageArg> for Storage {
    fn from(storage: StorageArg) -> Self {
        match storage {
            StorageArg::F32 => Self::F32,
            StorageArg::F16 => Self::F16,
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// A file that cannot be read or written, or figures that are no evaluation.
pub fn run(args: Args) -> Result<()> {
    check_output(&args.output, [&*args.checkpoint])?;
    let mut checkpoint = Checkpoint::load(&args.checkpoint, tch::Device::Cpu)
        .with_context(|| format!("loading {}", args.checkpoint.display()))?;
    for figures in &args.figures {
        let (name, file) = figures
            .split_once('=')
            .with_context(|| format!("--figures {figures}: expected NAME=FILE"))?;
        for (figure, value) in model_figures(Path::new(file))? {
            checkpoint
                .provenance
                .metrics
                .insert(format!("{name}/{figure}"), value);
        }
    }
    checkpoint.save(&args.output, args.storage.into())?;
    let megabytes = std::fs::metadata(&args.output)?.len() as f64 / 1e6;
    print_line!("{}: {megabytes:.1} MB", args.output.display());
    for (figure, value) in &checkpoint.provenance.metrics {
        print_line!("  {figure}: {value:.2}");
    }
    Ok(())
}

/// The summary of the model itself, by `stem/figure`.
fn model_figures(file: &Path) -> Result<Vec<(String, f64)>> {
    let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let report: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    if let Some(failed) = report["failed"]
        .as_array()
        .filter(|songs| !songs.is_empty())
    {
        eprint_line!(
            "warning: {}: {} songs could not be scored and are in none of its figures",
            file.display(),
            failed.len()
        );
    }
    let summary = &report["summary"][MODEL];
    let stems = summary["stems"].as_object().into_iter().flatten();
    let stems = stems.map(|(stem, figures)| (stem.as_str(), figures));
    let mut found = Vec::new();
    for (stem, figures) in stems.chain([("mean", &summary["mean"])]) {
        for (figure, value) in figures.as_object().into_iter().flatten() {
            if let Some(value) = value.as_f64().filter(|_| !figure.ends_with("_count")) {
                found.push((format!("{stem}/{figure}"), value));
            }
        }
    }
    ensure!(
        !found.is_empty(),
        "{} holds no evaluation of a model",
        file.display()
    );
    Ok(found)
}
