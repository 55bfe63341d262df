//! Steps of a training here and in the reference package: the same weights, stems and optimiser.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bunri_model::Checkpoint;
use bunri_stream::Planar;
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use super::measure::Noise;
use super::python::{Plan, Reference};
use super::subject::Subject;
use super::table_of;
use super::turns::{Speed, Turns};
use crate::distributed::Cluster;
use crate::losses::LossConfig;
use crate::table::Table;
use crate::train::AdamConfig;
use crate::train::batches::Batch;
use crate::train::generator::{Generator, Part, StepReport};

/// The package's default.
const LEARNING_RATE: f64 = 3e-4;

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
    let network = Checkpoint::from_bytes(checkpoint, Device::Cpu)?.network;
    let (signature, window) = (network.signature(), network.window());
    let cluster = Cluster::alone();
    let (adam, loss) = (AdamConfig::default(), LossConfig::default());
    let mut generator = Generator::of(network, adam, &loss, &cluster)?;
    let whole = Part {
        share: 1.0,
        is_last: true,
    };
    let (stems, channels) = (signature.stems.len(), signature.channels);
    let shape = [plan.batch, stems, channels, window.chunk_frames].map(|axis| axis as i64);
    let usable = Tensor::ones(&shape[..2], (Kind::Float, Device::Cpu));
    let mut noise = Noise(7);
    let mut block = Planar::zeros(plan.batch * stems * channels, window.chunk_frames);
    let mut turns = Turns::default();
    let mut loss_error = 0.0f64;
    for round in 0..=plan.rounds.max(1) {
        noise.fill(&mut block);
        let samples: Vec<f32> = block.channels().flatten().copied().collect();
        let (their_seconds, their_loss) = reference.ask(&samples, &shape)?;
        let stems = Tensor::from_slice(&samples).reshape(shape);
        let started = Instant::now();
        let batch = Batch {
            mixture: stems.sum_dim_intlist(1, false, Kind::Float),
            stems,
            usable: usable.shallow_clone(),
        };
        let mut report = StepReport::default();
        let _ =
            generator.learn_from(&batch, whole, &cluster, &mut report, |_, _| Ok(Vec::new()))?;
        // The training watches the gradient's length, so it counts.
        report.grad_norm = generator.adam.grad_norm();
        generator.step(LEARNING_RATE, report.grad_norm, 0.0);
        let our_seconds = started.elapsed().as_secs_f64();
        let their_loss = f64::from(*their_loss.first().context("the reference gave no loss")?);
        loss_error = loss_error.max((report.loss - their_loss).abs() / their_loss);
        if round > 0 {
            turns.add(our_seconds, their_seconds);
        }
    }
    Ok(Comparison {
        model: subject.name().to_owned(),
        threads: plan.threads,
        batch: plan.batch,
        segment_seconds: window.chunk_frames as f64 / f64::from(signature.rate_hz),
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
            let [ours, python, ratio, range] = row.speed.cells();
            vec![
                row.model.clone(),
                row.threads.to_string(),
                row.batch.to_string(),
                format!("{:.2}", row.segment_seconds),
                ours,
                python,
                ratio,
                range,
                row.steps.to_string(),
                format!("{:.1e}", row.loss_error),
            ]
        })
        .collect();
    let header = [
        "model",
        "threads",
        "batch",
        "segment s",
        "ours s",
        "python s",
        "ratio",
        "range",
        "steps",
        "loss error",
    ];
    table_of(
        "One training step here and in the reference package, in turns (medians; ratio: times as fast)",
        1,
        &header,
        rows,
    )
}
