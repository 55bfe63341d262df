//! Streams of noise through a model, hop by hop, each timed.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use bunri_model::{ScheduledSeparator, Scheduler};
use bunri_stream::{Mode, Planar, StemModel};
use serde::Serialize;

use super::subject::Subject;
use super::table_of;
use crate::table::Table;

/// One measurement's conditions.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Streams at the same time.
    pub instances: usize,
    /// Audio per stream.
    pub seconds: f64,
    /// Overlap of windows.
    pub mode: Mode,
    /// CPU threads of libtorch.
    pub threads: u32,
    /// Whether a scheduler serves the streams, each hop with a hop's time as its budget.
    pub scheduled: bool,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// The model, as given.
    pub model: String,
    /// Number of trained values.
    pub parameters: Option<usize>,
    /// Where it ran.
    pub device: String,
    /// CPU threads of libtorch.
    pub threads: u32,
    /// `live` (hop to hop) or `windows`.
    pub mode: &'static str,
    /// Streams at the same time.
    pub instances: usize,
    /// Whether a scheduler served them.
    pub scheduled: bool,
    /// Hops timed, of all streams.
    pub hops: usize,
    /// One hop, in ms of audio.
    pub hop_ms: f64,
    /// Delay of a stream, without a compute budget, in ms.
    pub latency_ms: f64,
    /// Time of the whole over the audio of one stream: at 1 the machine just keeps up.
    pub real_time_factor: f64,
    /// Time of a hop, in ms: the median.
    pub p50_ms: f64,
    /// 99 of 100 hops take at most this.
    pub p99_ms: f64,
    /// 999 of 1000 hops take at most this.
    pub p999_ms: f64,
    /// The slowest hop.
    pub max_ms: f64,
    /// Most memory that the process ever held, in MiB.
    pub peak_memory_mib: Option<f64>,
}

/// Runs the streams of a plan, each on a thread of its own; the first hop of each is not counted.
///
/// # Errors
/// A mode that the model cannot work with; a model that fails.
pub fn measure(subject: &Subject, plan: &Plan, scheduler: &Arc<Scheduler>) -> Result<Measurement> {
    let streams = (0..plan.instances.max(1))
        .map(|_| {
            let separator = subject.separator(plan.mode)?;
            let mut stream = ScheduledSeparator::new(separator, Arc::clone(scheduler));
            let spec = stream.spec();
            let hop_seconds = spec.hop_frames as f64 / f64::from(spec.rate_hz);
            let budget = Duration::from_secs_f64(hop_seconds);
            stream.set_budget(plan.scheduled.then_some(budget));
            Ok(stream)
        })
        .collect::<Result<Vec<_>>>()?;
    let spec = streams[0].spec().clone();
    let audio_frames = plan.seconds * f64::from(spec.rate_hz);
    let hops = (audio_frames / spec.hop_frames as f64).ceil().max(1.0) as usize;
    let start = Barrier::new(streams.len() + 1);
    let (times_ms, seconds) = thread::scope(|scope| -> Result<(Vec<f64>, f64)> {
        let workers: Vec<_> = streams
            .into_iter()
            .enumerate()
            .map(|(index, stream)| {
                let start = &start;
                scope.spawn(move || {
                    // libtorch keeps the number of threads per thread that calls it.
                    tch::set_num_threads(plan.threads as i32);
                    run_stream(stream, index as u32, hops, start)
                })
            })
            .collect();
        start.wait();
        let started = Instant::now();
        let mut times_ms = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(times) => times_ms.extend(times?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok((times_ms, started.elapsed().as_secs_f64()))
    })?;
    let mut sorted = times_ms;
    sorted.sort_by(f64::total_cmp);
    let rate_hz = f64::from(spec.rate_hz);
    let ms = |frames: usize| frames as f64 * 1e3 / rate_hz;
    Ok(Measurement {
        model: subject.name().to_owned(),
        parameters: subject.parameters(),
        device: subject.device().to_owned(),
        threads: plan.threads,
        mode: if spec.is_causal() { "live" } else { "windows" },
        instances: plan.instances,
        scheduled: plan.scheduled,
        hops: sorted.len(),
        hop_ms: ms(spec.hop_frames),
        latency_ms: ms(spec.latency_frames()),
        real_time_factor: seconds / (hops as f64 * spec.hop_frames as f64 / rate_hz),
        p50_ms: percentile(&sorted, 0.5),
        p99_ms: percentile(&sorted, 0.99),
        p999_ms: percentile(&sorted, 0.999),
        max_ms: percentile(&sorted, 1.0),
        peak_memory_mib: peak_memory_mib(),
    })
}

/// Waits for the others after its first hop, then separates `hops` hops; gives their times in ms.
fn run_stream(
    mut stream: impl StemModel,
    seed: u32,
    hops: usize,
    start: &Barrier,
) -> Result<Vec<f64>> {
    let spec = stream.spec().clone();
    let mut noise = Noise(seed.wrapping_add(1));
    let mut chunk = Planar::zeros(spec.channels, spec.chunk_frames);
    let mut stems = vec![chunk.clone(); spec.stems.len()];
    noise.fill(&mut chunk);
    let first = stream.separate(&chunk, &mut stems);
    start.wait();
    first?;
    let mut times_ms = Vec::with_capacity(hops);
    for _ in 0..hops {
        noise.fill(&mut chunk);
        let started = Instant::now();
        stream.separate(&chunk, &mut stems)?;
        times_ms.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times_ms)
}

/// White noise at -20 dBFS peak: no model can take a short cut over it.
#[derive(Debug)]
pub(super) struct Noise(pub(super) u32);

impl Noise {
    pub(super) fn fill(&mut self, block: &mut Planar) {
        for sample in block.channels_mut().flatten() {
            // Xorshift (Marsaglia 2003): quick, and no model listens for its faults.
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 17;
            self.0 ^= self.0 << 5;
            *sample = self.0 as f32 / u32::MAX as f32 * 0.2 - 0.1;
        }
    }
}

/// The value that a share of the sorted ones does not exceed.
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let index = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Linux keeps it; elsewhere there is no figure.
fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// All measurements, a line each.
#[must_use]
pub fn table(measurements: &[Measurement]) -> Table {
    let rows = measurements
        .iter()
        .map(|row| {
            let parameters = row
                .parameters
                .map(|count| format!("{:.1}", count as f64 / 1e6));
            let memory = row.peak_memory_mib.map(|mib| format!("{mib:.0}"));
            vec![
                row.model.clone(),
                row.device.clone(),
                row.mode.to_owned(),
                row.threads.to_string(),
                format!("{}{}", row.instances, if row.scheduled { " s" } else { "" }),
                parameters.unwrap_or_else(|| "–".into()),
                format!("{:.1}", row.hop_ms),
                format!("{:.1}", row.latency_ms),
                format!("{:.3}", row.real_time_factor),
                format!("{:.2}", row.p50_ms),
                format!("{:.2}", row.p99_ms),
                format!("{:.2}", row.p999_ms),
                format!("{:.2}", row.max_ms),
                row.hops.to_string(),
                memory.unwrap_or_else(|| "–".into()),
            ]
        })
        .collect();
    let header = [
        "model",
        "device",
        "mode",
        "threads",
        "streams",
        "M param",
        "hop ms",
        "latency ms",
        "RTF",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "hops",
        "peak MiB",
    ];
    table_of(
        "Time of a hop, and of all streams together over the audio of one (RTF, real-time factor); s: \
         scheduled",
        3,
        &header,
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 0.5), 500.0);
        assert_eq!(percentile(&sorted, 0.99), 990.0);
        assert_eq!(percentile(&sorted, 0.999), 999.0);
        assert_eq!(percentile(&sorted, 1.0), 1000.0);
        assert_eq!(percentile(&[7.0], 0.5), 7.0);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
