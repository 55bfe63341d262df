//! What a training logs, for TensorBoard: `tensorboard --logdir runs`.
//!
//! ```text
//! a line of log.jsonl ─ scalars, words ─┐
//! stems of a segment ─ wav, spectrogram ┴─ Event ─ TFRecord ─ RUN/tensorboard/events.out.tfevents.*
//! ```
//!
//! No crate that writes these files is kept: `tensorboard-rs` (last release in March 2022, its
//! repository says "not active", no audio, protobuf 2), `tfrecord` (scalars and images, an older
//! prost and a build script). The format is five messages and a frame.
//!
//! - [`Board`]: the open file. `message`, `record`: how its bytes are made.
//! - [`spectrogram`], [`wav`]: what is shown and heard, also in the HTML report.

mod message;
mod record;
pub mod spectrogram;
pub mod wav;

use std::fs::File;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bunri_stream::Planar;
use serde_json::Value;

use crate::run_log::Entry;
use message::Message;

/// Folder of the event files inside a run's.
pub const FOLDER: &str = "tensorboard";

/// An open event file.
#[derive(Debug)]
pub struct Board {
    file: File,
}

impl Board {
    /// Starts a new file in `folder`, which is made where missing, for a run that goes on after
    /// `step`: what older files say of later steps is no longer shown.
    ///
    /// # Errors
    /// A folder or file that cannot be made.
    pub fn open(folder: &Path, step: u64) -> Result<Self> {
        let making = || format!("making event files in {}", folder.display());
        std::fs::create_dir_all(folder).with_context(making)?;
        let now = since_1970();
        // TensorBoard reads the files of a folder in the order of their names.
        let (seconds, nanoseconds) = (now.as_secs(), now.subsec_nanos());
        let name = format!("events.out.tfevents.{seconds:010}.bunri.{nanoseconds:09}");
        let file = File::create_new(folder.join(name)).with_context(making)?;
        let mut board = Self { file };
        board.event(None, |event| event.text(3, "brain.Event:2"))?;
        const START: u64 = 1;
        let restart = Message::default().integer(1, START);
        board.event(Some(step + 1), |event| event.message(7, restart))?;
        Ok(board)
    }

    /// Takes a line of the run's log: every number becomes a scalar `event/path`, a notice and the
    /// config are words. What is no line of a log is passed over.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn line(&mut self, line: &Value) -> Result<()> {
        let Some(entry) = Entry::of(line.clone()) else {
            return Ok(());
        };
        let tag = |path: &[String]| format!("{}/{}", entry.event, path.join("/"));
        let scalars = entry.scalars().into_iter();
        let mut values: Vec<Message> = scalars
            .map(|(path, value)| message::scalar(&tag(&path), value))
            .collect();
        for name in ["text", "config"] {
            let markdown = match line.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(config @ Value::Object(_)) => {
                    format!("```\n{}\n```", serde_json::to_string_pretty(config)?)
                }
                _ => continue,
            };
            values.push(message::words(&tag(&[name.to_owned()]), &markdown));
        }
        self.summary(entry.step, values)
    }

    /// Takes a stem of a segment, to be heard under `stems/TAG` and seen under `spectrograms/TAG`.
    /// TensorBoard's server takes what has one tag for one kind of thing.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn stem(&mut self, tag: &str, step: u64, stem: &Planar, rate_hz: u32) -> Result<()> {
        let [heard, seen] = ["stems", "spectrograms"].map(|group| format!("{group}/{tag}"));
        let shape = [stem.channel_count(), stem.frames()];
        let wav = wav::wav16(stem, rate_hz)?;
        let picture = spectrogram::Picture::of(stem, rate_hz);
        let values = vec![
            message::audio(&heard, rate_hz, shape, &wav),
            message::image(&seen, [picture.height, picture.width], &picture.png()?),
        ];
        self.summary(step, values)
    }

    fn summary(&mut self, step: u64, values: Vec<Message>) -> Result<()> {
        let empty = Message::default();
        let summary = values
            .into_iter()
            .fold(empty, |all, value| all.message(1, value));
        self.event(Some(step), |event| event.message(5, summary))
    }

    fn event(&mut self, step: Option<u64>, what: impl FnOnce(Message) -> Message) -> Result<()> {
        let event = Message::default().double(1, since_1970().as_secs_f64());
        let event = match step {
            Some(step) => event.integer(2, step),
            None => event,
        };
        let event = what(event).into_bytes();
        record::write(&mut self.file, &event).context("writing TensorBoard's events")
    }
}

fn since_1970() -> std::time::Duration {
    // A clock before 1970 is wrong anyway.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}
