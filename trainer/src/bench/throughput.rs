//! Steps of a training on one device: how fast, in how much memory, and how much of what the device
//! can do at best.
//!
//! Model FLOP utilisation as Chowdhery et al., *PaLM* (2022), appendix B, define it: the operations
//! that the network itself needs, forward once and backward twice that, over the peak of the device.
//! What is computed again to save memory is not counted.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use bunri_model::{Precision, hardware};
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use super::measure::percentile;
use super::steps::Steps;
use super::subject::Subject;
use super::table_of;
use crate::table::Table;
use crate::train::ComputeConfig;

/// Steps before those that count: kernels are chosen, memory is found.
const WARM_UP: usize = 3;

/// Peaks in TFLOP/s without sparsity, by a part of the card's name: (f16 and bf16, TF32), from
/// NVIDIA's data sheets for the SXM and PCIe cards of that name.
const CARDS: [(&str, f64, f64); 6] = [
    ("A100", 312.0, 156.0),
    ("H100 PCIe", 756.0, 378.0),
    ("H100 NVL", 835.5, 417.5),
    ("H100", 989.5, 494.7),
    ("H200 NVL", 835.5, 417.5),
    ("H200", 989.5, 494.7),
];

/// One measurement's conditions.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// CPU threads of libtorch.
    pub threads: u32,
    /// Steps that count.
    pub steps: usize,
    /// Examples per step.
    pub batch: usize,
    /// Of the network's products.
    pub precision: Precision,
    /// Whether layers are computed again in the backward pass.
    pub recompute: bool,
    /// The device's peak, where it is no card that is known here.
    pub peak_tflops: Option<f64>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Throughput {
    /// The model, as given.
    pub model: String,
    /// Its maker's name for the device.
    pub device: String,
    /// CPU threads of libtorch.
    pub threads: u32,
    /// Of the network's products.
    pub precision: Precision,
    /// Whether layers were computed again in the backward pass.
    pub recompute: bool,
    /// Examples per step.
    pub batch: usize,
    /// One example, in seconds of audio.
    pub segment_seconds: f64,
    /// Steps that counted.
    pub steps: usize,
    /// Median time of a step, in seconds.
    pub step_seconds: f64,
    /// Audio learnt from per second.
    pub audio_seconds_per_second: f64,
    /// Operations of a step by the network's layers, in 10^12.
    pub step_teraflop: f64,
    /// What the device can do at best, in TFLOP/s, if that is known.
    pub peak_tflops: Option<f64>,
    /// The share of it that the steps used.
    pub model_flop_utilisation: Option<f64>,
    /// The most memory in MB that tensors held on the GPU; on a CPU, that the process held.
    pub peak_memory_mb: f64,
}

/// Takes steps on noise with the config's defaults for [`ComputeConfig`].
///
/// # Errors
/// A model that cannot be trained, memory that does not suffice.
pub fn measure(subject: &Subject, plan: &Plan) -> Result<Throughput> {
    let device = subject.place();
    let compute = ComputeConfig {
        precision: plan.precision,
        recompute: plan.recompute,
        ..ComputeConfig::default()
    };
    let checkpoint = subject
        .checkpoint()
        .with_context(|| format!("{} is no network that can be trained", subject.name()))?;
    let mut steps = Steps::new(checkpoint, device, plan.batch, &compute)?;
    let samples = steps.samples();
    let operations = steps.operations(&samples)?;
    let mut times = Vec::new();
    let mut last = Instant::now();
    peak_memory_mb(device, true)?;
    for step in 0..WARM_UP + plan.steps.max(1) {
        // The loss is read in each: what lies between two readings is one step.
        steps.step(&samples)?;
        if step >= WARM_UP {
            times.push(last.elapsed().as_secs_f64());
        }
        last = Instant::now();
    }
    times.sort_by(f64::total_cmp);
    let step_seconds = percentile(&times, 0.5);
    let step_teraflop = 3.0 * operations as f64 * 1e-12;
    let description = hardware::devices()
        .into_iter()
        .find(|known| known.name == subject.device())
        .map_or_else(|| subject.device().to_owned(), |known| known.description);
    let peak_tflops =
        (plan.peak_tflops).or_else(|| peak_of(&description, plan.precision, compute.tf32));
    Ok(Throughput {
        model: subject.name().to_owned(),
        device: description,
        threads: plan.threads,
        precision: plan.precision,
        recompute: plan.recompute,
        batch: plan.batch,
        segment_seconds: steps.segment_seconds(),
        steps: times.len(),
        step_seconds,
        audio_seconds_per_second: plan.batch as f64 * steps.segment_seconds() / step_seconds,
        step_teraflop,
        peak_tflops,
        model_flop_utilisation: peak_tflops.map(|peak| step_teraflop / step_seconds / peak),
        peak_memory_mb: peak_memory_mb(device, false)?,
    })
}

/// Of a card that is known here.
fn peak_of(card: &str, precision: Precision, tf32: bool) -> Option<f64> {
    let (_, half, with_tf32) = CARDS.iter().find(|(name, ..)| card.contains(name))?;
    match precision {
        Precision::F32 => tf32.then_some(*with_tf32),
        Precision::Bf16 | Precision::F16 => Some(*half),
    }
}

/// Since the last call with `reset`.
fn peak_memory_mb(device: Device, reset: bool) -> Result<f64> {
    if device != Device::Cpu {
        let there = Tensor::zeros([1], (Kind::Float, device));
        return Ok(bunri_libtorch::peak_bytes(&there, reset)? as f64 * 1e-6);
    }
    if reset {
        // Linux forgets the high-water mark; elsewhere it is that of the whole process.
        let _ = fs::write("/proc/self/clear_refs", "5");
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.unwrap_or(f64::NAN) * 1024e-6)
}

/// All measurements, a line each.
#[must_use]
pub fn table(rows: &[Throughput]) -> Table {
    let rows = rows
        .iter()
        .map(|row| {
            let known = |value: Option<f64>, digits: usize| {
                value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
            };
            vec![
                row.model.clone(),
                row.device.clone(),
                row.threads.to_string(),
                row.precision.to_string(),
                if row.recompute { "again" } else { "kept" }.to_owned(),
                row.batch.to_string(),
                format!("{:.2}", row.segment_seconds),
                format!("{:.4}", row.step_seconds),
                format!("{:.1}", row.audio_seconds_per_second),
                format!("{:.4}", row.step_teraflop),
                known(row.peak_tflops, 1),
                known(row.model_flop_utilisation.map(|share| 100.0 * share), 1),
                format!("{:.0}", row.peak_memory_mb),
                row.steps.to_string(),
            ]
        })
        .collect();
    let header = [
        "model",
        "device",
        "threads",
        "precision",
        "layers",
        "batch",
        "segment s",
        "step s",
        "audio s/s",
        "TFLOP/step",
        "peak TFLOP/s",
        "MFU %",
        "memory MB",
        "steps",
    ];
    table_of(
        "Training steps on noise (median time; MFU: share of the device's peak)",
        2,
        &header,
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against the peak of a card whose name contains another's.
    #[test]
    fn cards_are_known_by_their_drivers_names() {
        let peak = |card, precision| peak_of(card, precision, true);
        assert_eq!(peak("NVIDIA H100 80GB HBM3", Precision::Bf16), Some(989.5));
        assert_eq!(peak("NVIDIA H100 PCIe", Precision::F16), Some(756.0));
        assert_eq!(peak("NVIDIA A100-SXM4-40GB", Precision::F32), Some(156.0));
        assert_eq!(peak("NVIDIA GeForce GTX 1080", Precision::F32), None);
        assert_eq!(peak_of("NVIDIA A100", Precision::F32, false), None);
    }
}
