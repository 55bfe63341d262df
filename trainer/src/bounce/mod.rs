//! `bounce`: stems from audio files, or a demo song that shows how well it does.
//!
//! ```text
//! Inputs ─ Batch ─ Places ─ file ─ FileReader ─ OfflineSeparator ─ Target::mix ─ StemFiles ─ DIR/<file>/<stem>.wav
//!            └─ Record ─ DIR/<file>/bunri.json, --json
//! ```
//!
//! Without a file, `demo` renders a song to `DIR/demo`, separates it and prints how well.
//!
//! No work is lost to a message or to a name: files are written before anything is said of them, what
//! is said cannot end a run, and results replace only those of the same input, which their record names.
//! A file that fails does not stop the next one; the exit code is 0 where all were done, 1 where some
//! failed, 130 after an interruption.

mod args;
mod batch;
mod console;
mod demo;
mod inputs;
mod interrupt;
mod json_lines;
mod new_folders;
mod outputs;
mod places;
mod progress;
mod record;
mod separate_file;
mod stem_files;
mod targets;
mod template;

use std::process::ExitCode;

use anyhow::Result;
pub use args::{Args, Bits, Codec, Format};
use bunri_stream::HostOptions;

use crate::model::Model;

use batch::{Batch, report};
use console::Console;
use inputs::Inputs;
use interrupt::{INTERRUPTED_EXIT_CODE, Interrupt};
use json_lines::JsonLines;
use places::Places;
use record::ModelRecord;
use separate_file::Job;
use targets::targets;
pub use template::Template;

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
/// cannot be used. A single bad file is reported on standard error and in the [`Outcome`].
pub fn run(args: Args) -> Result<Outcome> {
    let encoding = args.encoding()?;
    encoding.check_encoder()?;
    let interrupt = Interrupt::listen()?;
    let json = args.json.as_deref().map(JsonLines::open).transpose()?;
    let console = json.as_ref().map_or(Console::Both, JsonLines::console);
    let model = Model::load(&args.model, args.device, args.stream)?;
    let targets = targets(&model.spec().stems, &args.stems, args.two_stems.as_deref())?;
    console.say(model.description());
    let job = Job {
        model: &model,
        targets: &targets,
        outputs: args.outputs(encoding, &targets)?,
        options: HostOptions {
            consistency: !args.no_consistency,
            batch: args
                .batch
                .map_or_else(|| model.chunks_at_a_time(), usize::from),
        },
        interrupt: &interrupt,
    };
    let outcome = if args.files.is_empty() {
        run_demo(&job, console, &args)
    } else {
        let inputs = Inputs::find(&args.files, args.recursive, &args.output);
        let batch = Batch {
            job: &job,
            console,
            places: Places::below(&args.output, args.template()?, &inputs.files),
            skip_existing: args.skip_existing,
            json,
            model: ModelRecord::of(&model)?,
            options: args.options_record(),
        };
        Ok(batch.run(inputs))
    };
    if let Some(notice) = model.notice() {
        console.warn(notice);
    }
    outcome
}

fn run_demo(job: &Job<'_>, console: Console, args: &Args) -> Result<Outcome> {
    let demo = match demo::run(job, console, args.options_record(), &args.output) {
        Err(_) if job.interrupt.is_requested() => {
            console.fail("interrupted: the demo was not separated");
            return Ok(Outcome::Interrupted);
        }
        result => result?,
    };
    let folder = demo.folder.display();
    report(console, &demo.folder.join(demo::MIXTURE), &demo.separated);
    console.say(format_args!(
        "the song: {folder}/{}, its true stems: {folder}/truth/",
        demo::MIXTURE
    ));
    console.say(format_args!("\n{}", demo.table));
    Ok(Outcome::Done)
}
