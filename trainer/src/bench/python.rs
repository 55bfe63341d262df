//! A reference package on the same weights and the same audio, chunk by chunk in turns with ours.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use bunri_model::checkpoint::float_values;
use bunri_stream::Planar;
use serde::Serialize;
use tch::Tensor;

use super::measure::Noise;
use super::subject::Subject;
use super::table_of;
use super::turns::{Speed, Spent, Turns};
use crate::python::PythonReference;
use crate::table::Table;

/// The other side's program.
const SCRIPT: &str = include_str!("reference.py");

/// What its Python must have.
const NEEDS: &str = "torch==2.11.0 and demucs==2.0.3 (Demucs v1 and v2, Conv-TasNet) or \
                     demucs==4.1.0 (the others); choose it by --python";

/// One comparison's conditions.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// CPU threads, on both sides.
    pub threads: u32,
    /// Rounds that count; one more comes before them.
    pub rounds: usize,
    /// Chunks of a round: at once here, one by one there.
    pub batch: usize,
}

/// Both sides of one comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The model, as given.
    pub model: String,
    /// CPU threads, on both sides.
    pub threads: u32,
    /// One chunk, in seconds of audio.
    pub chunk_seconds: f64,
    /// Rounds that counted.
    pub rounds: usize,
    /// Chunks of a round: at once here, one by one there.
    pub batch: usize,
    /// Of a chunk.
    #[serde(flatten)]
    pub speed: Speed,
    /// Largest difference between any two samples of the outputs.
    pub max_error: f64,
    /// RMS of the package's output, beside which to see the error.
    pub output_rms: f64,
}

/// Separates noise on both sides, in turns.
///
/// # Errors
/// A model without a reference package, or on a GPU; a Python that lacks the package.
pub fn compare(subject: &Subject, python: &Path, plan: &Plan) -> Result<Comparison> {
    let Plan {
        threads,
        rounds,
        batch,
    } = *plan;
    ensure!(
        subject.device() == "cpu",
        "--against python compares on the CPU"
    );
    let checkpoint = subject
        .checkpoint()
        .with_context(|| format!("{} is no network with a reference package", subject.name()))?;
    let folder = tempfile::tempdir().context("making a folder for the exchange")?;
    std::fs::write(folder.path().join("model.safetensors"), checkpoint)?;
    let mut reference = Reference::start(python, folder.path(), threads, "separate")?;
    let network = subject.weights().network();
    let (signature, window) = (network.signature(), network.window());
    let mut noise = Noise(7);
    let mut block = Planar::zeros(signature.channels, window.chunk_frames);
    let mut turns = Turns::default();
    let [mut max_error, mut output_rms] = [0.0f64, 0.0];
    let shape = [1, signature.channels as i64, window.chunk_frames as i64];
    for round in 0..=rounds.max(1) {
        let mut mixes = Vec::new();
        let mut their_output = Vec::new();
        let mut theirs = Spent::default();
        for _ in 0..batch {
            noise.fill(&mut block);
            let samples: Vec<f32> = block.channels().flatten().copied().collect();
            let (spent, output) = reference.ask(&samples, &shape)?;
            theirs += spent / batch as f64;
            their_output.extend(output);
            mixes.push(Tensor::from_slice(&samples).reshape(shape));
        }
        let mix = Tensor::cat(&mixes, 0); // [batch, channels, frames]
        let (output, ours) = Spent::on(|| tch::no_grad(|| network.forward(&mix)));
        let our_output = float_values(&output);
        ensure!(
            our_output.len() == their_output.len(),
            "our output has {} samples, the package's {}",
            our_output.len(),
            their_output.len()
        );
        for (a, b) in our_output.iter().zip(&their_output) {
            max_error = max_error.max(f64::from((a - b).abs()));
        }
        let power: f64 = their_output.iter().map(|x| f64::from(*x).powi(2)).sum();
        output_rms = (power / their_output.len() as f64).sqrt();
        if round > 0 {
            turns.add(ours / batch as f64, theirs);
        }
    }
    Ok(Comparison {
        model: subject.name().to_owned(),
        threads,
        chunk_seconds: window.chunk_frames as f64 / f64::from(signature.rate_hz),
        rounds: turns.rounds(),
        batch,
        speed: turns.speed(),
        max_error,
        output_rms,
    })
}

/// The package in its process, which ends with this.
pub(super) struct Reference<'a> {
    folder: &'a Path,
    process: PythonReference,
}

impl<'a> Reference<'a> {
    /// For the checkpoint `model.safetensors` in `folder`; `task` is `separate` or `train`.
    pub(super) fn start(python: &Path, folder: &'a Path, threads: u32, task: &str) -> Result<Self> {
        let arguments = [
            folder.join("model.safetensors").into_os_string(),
            threads.to_string().into(),
            task.into(),
        ];
        let process = PythonReference::start(python, SCRIPT, folder, arguments, NEEDS)?;
        Ok(Self { folder, process })
    }

    /// Hands audio over; returns what the task took, and its result.
    pub(super) fn ask(&mut self, samples: &[f32], shape: &[i64]) -> Result<(Spent, Vec<f32>)> {
        let [input, output] = ["input", "output"].map(|name| self.folder.join(name));
        let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(&input, bytes)?;
        let axes: Vec<String> = shape.iter().map(i64::to_string).collect();
        let (from, to) = (input.display(), output.display());
        let reply = (self.process).ask(&format!("{from} {to} {}", axes.join(",")))?;
        let times: Result<Vec<f64>, _> = reply.split_whitespace().map(str::parse).collect();
        let [wall, cpu] = times.context("the reference's times")?[..] else {
            bail!("the reference answered {reply:?} in place of two times");
        };
        let bytes = std::fs::read(&output)?;
        let values = bytes.as_chunks::<4>().0.iter();
        Ok((
            Spent { wall, cpu },
            values.map(|x| f32::from_le_bytes(*x)).collect(),
        ))
    }
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
                format!("{:.2}", row.chunk_seconds),
            ];
            cells.extend(row.speed.cells());
            cells.extend([
                row.batch.to_string(),
                row.rounds.to_string(),
                format!("{:.1e}", row.max_error),
                format!("{:.3}", row.output_rms),
            ]);
            cells
        })
        .collect();
    let mut header = vec!["model", "threads", "chunk s"];
    header.extend(Speed::HEAD);
    header.extend(["chunks", "rounds", "max error", "RMS"]);
    table_of(
        "One chunk here and in the reference package, in turns (medians; ratio: times as fast)",
        1,
        &header,
        rows,
    )
}
