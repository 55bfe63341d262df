//! `trainer average`: one model out of several fine-tunings of the same start.
//!
//! The weighted mean of the weights, which often generalises better than any of them: Wortsman et
//! al., *Model soups* (ICML 2022) and, between a start and its fine-tuning, *Robust fine-tuning of
//! zero-shot models* (CVPR 2022).

use std::path::{Path, PathBuf};

use crate::output::print_line;
use crate::output_file::check_output;
use anyhow::{Context, Result, ensure};
use bunri_model::{Checkpoint, Parameters, Storage};
use serde_json::{Value, json};
use tch::Device;

/// Command line of `trainer average`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoints of one config, each with its share, e.g. `0.9=tuned.safetensors`; the shares add
    /// up to 1. The first one's card is kept, with a note of all.
    #[arg(required = true, value_name = "SHARE=FILE")]
    checkpoints: Vec<String>,
    /// Where to write it, exact.
    #[arg(short, long)]
    output: PathBuf,
}

/// Runs the subcommand.
///
/// # Errors
/// Shares that do not add up to 1; files that cannot be read, or are of different configs.
pub fn run(args: Args) -> Result<()> {
    let mut parts = Vec::new();
    for given in &args.checkpoints {
        let (share, file) = given
            .split_once('=')
            .with_context(|| format!("{given}: expected SHARE=FILE"))?;
        let share: f64 = share
            .parse()
            .with_context(|| format!("{given}: {share} is no number"))?;
        let checkpoint = Checkpoint::load(Path::new(file), Device::Cpu)
            .with_context(|| format!("loading {file}"))?;
        parts.push((share, file, checkpoint));
    }
    check_output(
        &args.output,
        parts.iter().map(|(_, file, _)| Path::new(file)),
    )?;
    let total: f64 = parts.iter().map(|(share, ..)| share).sum();
    ensure!(
        (total - 1.0).abs() < 1e-9,
        "the shares add up to {total}, not to 1"
    );
    let notes: Vec<Value> = parts.iter().map(note).collect();
    let mut parts = parts.into_iter();
    let (share, first, mut checkpoint) = parts.next().context("no checkpoints")?;
    let config = checkpoint.network.config();
    let mut mean: Parameters = checkpoint
        .network
        .parameters()
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor * share))
        .collect();
    for (share, file, other) in parts {
        ensure!(
            other.network.config() == config,
            "{first} and {file} are of different configs: only one network's weights can be averaged"
        );
        for (name, tensor) in other.network.parameters() {
            if let Some(sum) = mean.get_mut(name) {
                *sum += tensor * share;
            }
        }
    }
    checkpoint.network = config.build(mean, Device::Cpu)?;
    // Figures of one part are not those of the mean.
    checkpoint.provenance.metrics.clear();
    checkpoint
        .provenance
        .notes
        .insert("averaged".into(), notes.into());
    checkpoint.save(&args.output, Storage::F32)?;
    print_line!("{}", args.output.display());
    Ok(())
}

/// What the card says of one part. No file names: they say nothing elsewhere.
fn note((share, _, checkpoint): &(f64, &str, Checkpoint)) -> Value {
    let provenance = &checkpoint.provenance;
    let seconds = provenance.notes.get("training_seconds");
    json!({
        "share": share,
        "steps": provenance.steps,
        "seed": provenance.seed,
        "training_seconds": seconds,
    })
}
