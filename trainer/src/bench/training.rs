//! Steps of a training here and in the reference package: the same weights, stems and optimiser.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tch::Device;

use super::python::{Plan, Reference};
use super::steps::Steps;
use super::subject::Subject;
use super::table_of;
use super::turns::{Speed, Spent, Turns};
use crate::table::Table;
use crate::train::ComputeConfig;

/// Both sides of one comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The model, as given.
    pub model: String,
    /// CPU threads, on both sides.
    pub threads: u32,
    /// Examples per step.
    pub batch: usize,
    /// One example, in seconds of audio.
    pub segment_seconds: f64,
    /// Steps that counted.
    pub steps: usize,
    /// Of a step.
    #[serde(flatten)]
    pub speed: Speed,
    /// Largest difference between both sides' losses in any step, relative to the loss.
    pub loss_error: f64,
}

/// Trains on noise on both sides, in turns, from the same weights.
///
/// # Errors
/// A model that the package cannot train, or on a GPU; a Python that lacks the package.
pub fn compare(subject: &Subject, python: &Path, plan: &Plan) -> Result<Comparison> {
    ensure!(
        subject.device() == "cpu",
        "--train --against python compares on the CPU"
    );
    let checkpoint = subject
        .checkpoint()
        .with_context(|| format!("{} is no network that can be trained", subject.name()))?;
    let folder = tempfile::tempdir().context("making a folder for the exchange")?;
    std::fs::write(folder.path().join("model.safetensors"), checkpoint)?;
    let mut reference = Reference::start(python, folder.path(), plan.threads, "train")?;
    let compute = ComputeConfig::default();
    let mut steps = Steps::new(checkpoint, Device::Cpu, plan.batch, &compute)?;
    let mut turns = Turns::default();
    let mut loss_error = 0.0f64;
    for round in 0..=plan.rounds.max(1) {
        let samples = steps.samples();
        let (theirs, their_loss) = reference.ask(&samples, &steps.shape)?;
        let (loss, ours) = Spent::on(|| steps.step(&samples));
        let their_loss = f64::from(*their_loss.first().context("the reference gave no loss")?);
        loss_error = loss_error.max((loss? - their_loss).abs() / their_loss);
        if round > 0 {
            turns.add(ours, theirs);
        }
    }
    Ok(Comparison {
        model: subject.name().to_owned(),
        threads: plan.threads,
        batch: plan.batch,
        segment_seconds: steps.segment_seconds(),
        steps: turns.rounds(),
        speed: turns.speed(),
        loss_error,
    })
}

/// All comparisons, a line each.
#[must_use]
pub fn table(comparisons: &[Comparison]) -> Table {
    let rows = comparisons
        .iter()
        .map(|row| {
            let mut cells = vec![
                row.model.clone(),
                row.threads.to_string(),
                row.batch.to_string(),
                format!("{:.2}", row.segment_seconds),
            ];
            cells.extend(row.speed.cells());
            cells.extend([row.steps.to_string(), format!("{:.1e}", row.loss_error)]);
            cells
        })
        .collect();
    let mut header = vec!["model", "threads", "batch", "segment s"];
    header.extend(Speed::HEAD);
    header.extend(["steps", "loss error"]);
    table_of(
        "One training step here and in the reference package, in turns (medians; ratio: times as fast)",
        1,
        &header,
        rows,
    )
}
