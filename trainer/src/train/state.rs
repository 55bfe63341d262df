//! The training state beside the checkpoints: what a resumed run needs, and inference never.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bunri_model::checkpoint::float_values;
use bunri_stream::files::write_file;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::guard::Guard;
use super::loss_scale::LossScale;
use crate::adversarial::Counters;
use crate::losses::Balancer;

/// Where the run stands, apart from tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Progress {
    /// Optimiser steps taken; the next examples follow from it.
    pub(super) step: u64,
    /// Batches that were passed over when the run returned from a divergence.
    pub(super) passed_over: u64,
    /// Best validation so far, and the step it was reached at.
    pub(super) best: Option<(f64, u64)>,
    /// Seconds of training in all runs so far.
    pub(super) seconds: f64,
    /// What the watch for divergence remembers.
    pub(super) guard: Guard,
    /// What the balancer of losses remembers.
    pub(super) balancer: Balancer,
    /// Where the scale of losses in half precision stands.
    pub(super) loss_scale: LossScale,
    /// Where the discriminators stand, if there are any.
    pub(super) adversary: Option<Counters>,
}

const PROGRESS: &str = "bunri.progress";

/// Writes state and progress as one file, atomically.
pub(super) fn save(path: &Path, tensors: &[(String, Tensor)], progress: &Progress) -> Result<()> {
    let tensors: Vec<(&String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let bytes = float_values(tensor)
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            let shape = tensor.size().iter().map(|&n| n as usize).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>>>()?;
    let metadata = [(PROGRESS.to_owned(), serde_json::to_string(progress)?)].into();
    write_file(path, &serialize(views, Some(metadata))?)
        .with_context(|| format!("saving the training state {}", path.display()))
}

/// Reads a state.
pub(super) fn load(path: &Path) -> Result<(BTreeMap<String, Tensor>, Progress)> {
    let explain = || {
        format!(
            "resuming from {}: remove the file to start again from step 0",
            path.display()
        )
    };
    let bytes = std::fs::read(path).with_context(explain)?;
    parse(&bytes).with_context(explain)
}

fn parse(bytes: &[u8]) -> Result<(BTreeMap<String, Tensor>, Progress)> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let Some(progress) = header.metadata().as_ref().and_then(|m| m.get(PROGRESS)) else {
        bail!("it is no training state");
    };
    let progress: Progress = serde_json::from_str(progress)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(bytes)?.iter() {
        let values: Vec<f32> = view
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        let tensor = Tensor::from_slice(&values).reshape(&shape[..]);
        tensors.insert(name.to_owned(), tensor);
    }
    Ok((tensors, progress))
}
