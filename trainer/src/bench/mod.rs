//! `trainer bench`: how fast models separate on this machine, and against the reference packages.
//!
//! ```text
//! models × devices × threads × instances ─ measure ─ Row ─ table, JSON
//!                                 └ python (the same weights and audio, in turns) ┘
//! ```
//!
//! - [`subject`]: the models, from files or new.
//! - [`measure`]: hops through one or more streams, each timed.
//! - [`python`]: a reference package in a process of its own.
//! - [`training`]: steps of a training, here and there; [`throughput`]: here alone, on any device.
//! - [`turns`]: two sides timed in turns.

pub mod measure;
pub mod python;
mod steps;
pub mod subject;
pub mod throughput;
pub mod training;
pub mod turns;

use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result};
use bunri_model::{DeviceChoice, Precision, Scheduler};
use serde::Serialize;

use crate::json_file::JsonFile;
use crate::output::{eprint_line, print_result};
use crate::stream_args::StreamArgs;
use crate::table::Table;
use measure::{Measurement, Plan};
use subject::Subject;

/// Command line of `trainer bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Models to measure: files, `default`, or names of published sizes, which get new weights
    /// (--list names them).
    #[arg(long, value_name = "MODEL,...", value_delimiter = ',', default_value = crate::model::DEFAULT)]
    models: Vec<PathBuf>,
    /// Show the names of published sizes and stop.
    #[arg(long)]
    list: bool,
    /// Where the models run, each of them: cpu, cuda, cuda:N.
    #[arg(
        long,
        value_name = "DEVICE,...",
        value_delimiter = ',',
        default_value = "cpu"
    )]
    devices: Vec<DeviceChoice>,
    /// CPU threads of libtorch, each of them.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1")]
    threads: Vec<u32>,
    /// Streams at the same time, over one copy of the weights, each number of them.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1")]
    instances: Vec<usize>,
    /// Serve the streams as the engine does in a host that plays: by deadline, on one thread less
    /// than there are cores, together where they wait for each other.
    #[arg(long)]
    scheduled: bool,
    /// Seconds of audio per stream.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    #[command(flatten)]
    stream: StreamArgs,
    /// Measure the package that the model comes from, too, chunk by chunk in turns with ours.
    #[arg(long, value_enum)]
    against: Option<Reference>,
    /// Steps of a training in place of separations, --batch examples each: their speed, memory and
    /// the share of the device's peak that they use, or with --against the speed of both sides.
    #[arg(long)]
    train: bool,
    /// With --train: the device's peak in TFLOP/s at this precision, where it is not a known card.
    #[arg(long, value_name = "TFLOPS", requires = "train")]
    peak_tflops: Option<f64>,
    /// With --train: compute layers again in the backward pass, as `compute.recompute` of a training.
    #[arg(long, requires = "train", conflicts_with = "against")]
    recompute: bool,
    /// Python that has the package, e.g. `venv/bin/python`.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// Rounds of --against, after one to warm up: a chunk (or a --batch of them) on each side; steps
    /// of --train.
    #[arg(long, default_value_t = 5)]
    chunks: usize,
    /// Chunks that we separate at a time with --against; the package gets them one by one, as its own
    /// tools do.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    #[command(flatten)]
    json: JsonFile,
}

/// What to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Reference {
    /// The reference package, in Python.
    Python,
}

/// What was measured, as written to JSON.
#[derive(Debug, Default, Serialize)]
struct Report {
    streams: Vec<Measurement>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    against_python: Vec<python::Comparison>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    training: Vec<training::Comparison>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    throughput: Vec<throughput::Throughput>,
}

/// Runs the subcommand: tables on standard output.
///
/// # Errors
/// A model, a device or a Python that cannot be used.
pub fn run(args: Args) -> Result<()> {
    if args.list {
        let names = bunri_model::published::NAMES;
        return print_result(&(names.join("\n") + "\n"));
    }
    args.json.check()?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let scheduler = Scheduler::start(cores.saturating_sub(1))?;
    let mut report = Report::default();
    for model in &args.models {
        for device in &args.devices {
            let mut stream = args.stream;
            if args.train {
                // Training keeps weights of 32 bits, whatever it computes in.
                stream.precision = Precision::F32;
            }
            let subject = Subject::load(model, *device, stream)?;
            eprint_line!("{} on {device:?}", subject.name());
            for threads in &args.threads {
                tch::set_num_threads(i32::try_from(*threads).context("--threads")?);
                if args.against.is_some() {
                    let plan = python::Plan {
                        threads: *threads,
                        rounds: args.chunks,
                        batch: args.batch.into(),
                    };
                    if args.train {
                        let comparison = training::compare(&subject, &args.python, &plan)?;
                        report.training.push(comparison);
                    } else {
                        let comparison = python::compare(&subject, &args.python, &plan)?;
                        report.against_python.push(comparison);
                    }
                    continue;
                }
                if args.train {
                    let plan = throughput::Plan {
                        threads: *threads,
                        steps: args.chunks,
                        batch: args.batch.into(),
                        precision: args.stream.precision,
                        recompute: args.recompute,
                        peak_tflops: args.peak_tflops,
                    };
                    report
                        .throughput
                        .push(throughput::measure(&subject, &plan)?);
                    continue;
                }
                for instances in &args.instances {
                    let plan = Plan {
                        instances: *instances,
                        seconds: args.seconds,
                        mode: args.stream.mode(),
                        scheduled: args.scheduled,
                        threads: *threads,
                    };
                    report
                        .streams
                        .push(measure::measure(&subject, &plan, &scheduler)?);
                }
            }
        }
    }
    let mut text = String::new();
    if !report.streams.is_empty() {
        text += &measure::table(&report.streams).to_string();
    }
    if !report.against_python.is_empty() {
        text += &python::table(&report.against_python).to_string();
    }
    if !report.training.is_empty() {
        text += &training::table(&report.training).to_string();
    }
    if !report.throughput.is_empty() {
        text += &throughput::table(&report.throughput).to_string();
    }
    args.json.deliver(&report, &text)
}

/// A table whose first columns are words.
fn table_of(title: &str, words: usize, header: &[&str], rows: Vec<Vec<String>>) -> Table {
    Table {
        title: title.to_owned(),
        words,
        header: header.iter().map(|&head| head.to_owned()).collect(),
        rows,
    }
}
