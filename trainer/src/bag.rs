//! `trainer bag`: several models that answer as one, each with its share of every stem.
//!
//! Networks of different kinds make different mistakes, and the mean of their stems has fewer: the bags
//! of Demucs v3 and v4 are that. It costs as much time as all of them.

use std::path::PathBuf;

use crate::output::print_line;
use crate::output_file::check_output;
use anyhow::{Context, Result, ensure};
use bunri_model::{BagConfig, Checkpoint, NetworkConfig, Storage};
use serde_json::json;
use tch::Device;

/// Command line of `trainer bag`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoints with the same stems and sample rate.
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    models: Vec<PathBuf>,
    /// What each model has to say about a stem, in their order and relative to each other, e.g.
    /// drums=3,1; as often as needed [default: all the same].
    #[arg(long, value_name = "STEM=SHARE,...")]
    share: Vec<String>,
    /// Where to write it, exact.
    #[arg(short, long)]
    output: PathBuf,
}

/// Runs the subcommand.
///
/// # Errors
/// Files that cannot be read or do not go together; shares of other stems, or of another number of
/// models.
pub fn run(args: Args) -> Result<()> {
    check_output(&args.output, args.models.iter().map(PathBuf::as_path))?;
    let load = |path: &PathBuf| {
        Checkpoint::load(path, Device::Cpu).with_context(|| format!("loading {}", path.display()))
    };
    let models: Vec<Checkpoint> = args.models.iter().map(load).collect::<Result<_>>()?;
    let stems = models[0].network.signature().stems;
    let mut weights = vec![vec![1.0; stems.len()]; models.len()];
    for given in &args.share {
        let (stem, shares) = shares(given)?;
        let index = stems.iter().position(|name| name == stem);
        let index = index
            .with_context(|| format!("--share {given}: the models make {}", stems.join(", ")))?;
        ensure!(
            shares.len() == models.len(),
            "--share {given}: {} shares for {} models",
            shares.len(),
            models.len()
        );
        for (weights, share) in weights.iter_mut().zip(shares) {
            weights[index] = share;
        }
    }
    let configs = models.iter().map(|model| model.network.config()).collect();
    let mut checkpoint = together(&models, configs, Some(weights))?;
    let mut licences: Vec<String> = Vec::new();
    for model in models {
        if !licences.contains(&model.licence) {
            licences.push(model.licence);
        }
    }
    checkpoint.licence = licences.join("; ");
    checkpoint.save(&args.output, Storage::F32)?;
    print_line!("{}", args.output.display());
    Ok(())
}

fn shares(given: &str) -> Result<(&str, Vec<f64>)> {
    let context = || format!("--share {given}: expected STEM=SHARE,..., e.g. drums=3,1");
    let (stem, shares) = given.split_once('=').with_context(context)?;
    let shares = shares.split(',').map(str::parse::<f64>);
    let shares = shares.collect::<Result<_, _>>().with_context(context)?;
    Ok((stem, shares))
}

/// A bag of `models` under `configs`, with `weights` as [`BagConfig::weights`]. Its card is the first
/// model's, with the steps of all and a note of each; the licence is left to the caller.
///
/// # Errors
/// Models that do not go together.
pub(crate) fn together(
    models: &[Checkpoint],
    configs: Vec<NetworkConfig>,
    weights: Option<Vec<Vec<f64>>>,
) -> Result<Checkpoint> {
    let config = NetworkConfig::Bag(BagConfig {
        models: configs,
        weights,
    });
    let mut provenance = models[0].provenance.clone();
    // Figures of one part are not those of the bag.
    provenance.metrics.clear();
    provenance.steps = models.iter().map(|model| model.provenance.steps).sum();
    let cards = models.iter().map(|model| &model.provenance.notes);
    provenance.notes = [("models".to_owned(), json!(cards.collect::<Vec<_>>()))].into();
    let parameters = models.iter().enumerate().flat_map(|(index, model)| {
        let parameters = model.network.parameters().iter();
        parameters
            .map(move |(name, tensor)| (format!("models.{index}.{name}"), tensor.shallow_clone()))
    });
    let parameters = parameters.collect();
    config.validate()?;
    Ok(Checkpoint {
        network: config.build(parameters, Device::Cpu)?,
        provenance,
        licence: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_name_a_stem() {
        assert_eq!(shares("drums=3,0.5").unwrap(), ("drums", vec![3.0, 0.5]));
        for wrong in ["drums", "drums=", "drums=1,x"] {
            let message = format!("{:#}", shares(wrong).unwrap_err());
            assert!(message.contains("STEM=SHARE"), "{message}");
        }
    }
}
