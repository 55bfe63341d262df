//! `bounce`: stems from audio files, or a demo song that shows how well it does.
//!
//! ```text
//! file ─ FileReader ─ OfflineSeparator ─ Target::mix ─ StemFiles ─ DIR/<file>/<stem>.wav
//! ```
//!
//! Without a file, `demo` renders a song to `DIR/demo`, separates it and prints how well.
//!
//! A file that fails does not stop the next one; the exit code tells: 0 all done, 1 some failed,
//! 130 interrupted.

mod args;
mod demo;
mod folders;
mod interrupt;
mod progress;
mod separate_file;
mod stem_files;
mod targets;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result};
pub use args::{Args, Bits, Format};
use bunri_stream::HostOptions;

use crate::model::Model;

use folders::Folders;
use interrupt::{INTERRUPTED_EXIT_CODE, Interrupt};
use separate_file::{Job, Separated};
use targets::targets;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Every file was separated.
    Done,
    /// Some files could not be separated; the others were.
    SomeFailed,
    /// The user stopped it.
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::SomeFailed => Self::FAILURE,
            Outcome::Interrupted => Self::from(INTERRUPTED_EXIT_CODE),
        }
    }
}

/// Runs `bounce`.
///
/// # Errors
/// What concerns the whole run: arguments that contradict each other, a model or a device that
/// cannot be used. A single bad file is told on standard error and in the [`Outcome`].
pub fn run(args: Args) -> Result<Outcome> {
    let encoding = args.encoding()?;
    let interrupt = Interrupt::listen()?;
    let model = Model::load(&args.model, args.device, args.stream)?;
    let targets = targets(&model.spec().stems, &args.stems, args.two_stems.as_deref())?;
    println!("{}", model.description());
    let job = Job {
        model: &model,
        targets: &targets,
        encoding,
        options: HostOptions {
            consistency: !args.no_consistency,
            batch: args
                .batch
                .map_or_else(|| model.chunks_at_a_time(), usize::from),
        },
        interrupt: &interrupt,
        inputs: &args.files,
    };
    let outcome = if args.files.is_empty() {
        run_demo(&job, &args.output)
    } else {
        Ok(separate_all(&job, &args.files, &args.output))
    };
    if let Some(notice) = model.notice() {
        eprintln!("warning: {notice}");
    }
    outcome
}

fn run_demo(job: &Job<'_>, output: &Path) -> Result<Outcome> {
    let demo = match demo::run(job, output) {
        Err(_) if job.interrupt.is_requested() => {
            eprintln!("interrupted: the demo was not separated");
            return Ok(Outcome::Interrupted);
        }
        result => result?,
    };
    let folder = demo.folder.display();
    report(&demo.folder.join("mixture.wav"), &demo.separated);
    println!("the song: {folder}/mixture.wav, its true stems: {folder}/truth/");
    println!("\n{}", demo.table);
    Ok(Outcome::Done)
}

/// Separates one file after the other, whatever becomes of each.
fn separate_all(job: &Job<'_>, inputs: &[PathBuf], output: &Path) -> Outcome {
    let mut folders = Folders::below(output);
    let mut failed: Vec<(&Path, Error)> = Vec::new();
    for input in inputs {
        let result = folders
            .assign(input)
            .and_then(|folder| job.separate(input, &folder));
        match result {
            Ok(separated) => report(input, &separated),
            Err(_) if job.interrupt.is_requested() => {
                eprintln!("interrupted: {} was not separated", input.display());
                return Outcome::Interrupted;
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                failed.push((input, error));
            }
        }
    }
    if failed.is_empty() {
        return Outcome::Done;
    }
    if inputs.len() > 1 {
        eprintln!(
            "{} of {} files could not be separated:",
            failed.len(),
            inputs.len()
        );
        for (input, _) in &failed {
            eprintln!("  {}", input.display());
        }
    }
    Outcome::SomeFailed
}

/// Says what came of a file: speed, place, and what is worth a warning.
fn report(input: &Path, separated: &Separated) {
    let Separated {
        files,
        audio_seconds,
        work_seconds,
        rate_hz,
        damage,
        clipped,
    } = separated;
    println!(
        "{}: {audio_seconds:.1} s in {work_seconds:.1} s, {:.2} times real time",
        input.display(),
        audio_seconds / work_seconds.max(1e-9)
    );
    for path in files {
        println!("  {}", path.display());
    }
    for warning in damage.warnings(*rate_hz) {
        eprintln!("warning: {}: {warning}", input.display());
    }
    for (path, samples) in clipped {
        eprintln!(
            "warning: {}: {samples} samples were louder than full scale and were clipped, so the \
             stems do not quite add up; --bits 32f keeps them",
            path.display()
        );
    }
}
