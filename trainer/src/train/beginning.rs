//! The weights that a training begins with.

use std::path::Path;

use anyhow::{Context, Result};
use bunri_model::{Checkpoint, NetworkConfig, Trainable};
use tch::Device;

use super::config_difference::differences;

/// The network of `model` with weights drawn from `seed`, or with those of the checkpoint `init`.
///
/// # Errors
/// A checkpoint that cannot be read, or has another config than `model` and none that it can grow from.
pub(super) fn begun(
    model: &NetworkConfig,
    seed: i64,
    init: Option<&Path>,
    device: Device,
) -> Result<Box<dyn Trainable>> {
    match init {
        None => Ok(model.clone().untrained(seed, device)?),
        Some(path) => begun_from(path, model, seed, device),
    }
}

/// The network of `model`, with the weights of a checkpoint of that config, or of one that it can
/// grow from.
fn begun_from(
    path: &Path,
    model: &NetworkConfig,
    seed: i64,
    device: Device,
) -> Result<Box<dyn Trainable>> {
    let network = Checkpoint::load(path, device)?.network;
    let config = network.config();
    if config == *model {
        return Ok(network);
    }
    let grown = match (model, &config) {
        (NetworkConfig::BandSplit(whole), NetworkConfig::BandSplit(past)) => {
            whole.grown_from(past, network.parameters(), seed)
        }
        _ => None,
    };
    let parameters = grown.with_context(|| {
        let [there, here] =
            [&config, model].map(|config| serde_json::to_value(config).unwrap_or_default());
        format!(
            "--init {}: the checkpoint has another [model] config: {}; set these fields to the \
             checkpoint's, or start without --init",
            path.display(),
            differences("model", &there, &here).join(", ")
        )
    })?;
    Ok(model.clone().build(parameters, device)?)
}
