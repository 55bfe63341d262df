//! The run's log: one JSON object per line, appended; the same for TensorBoard beside it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use bunri_stream::Planar;
use bunri_stream::files::write_file;
use serde::Serialize;

use super::validate::Scores;
use crate::adversarial::ControlReport;
use crate::output::eprint_line;
use crate::tensorboard::{self, Board};

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    /// The run starts, or goes on, at this step.
    Start {
        step: u64,
        parameters: usize,
        config: &'a super::TrainConfig,
    },
    /// Means since the last such line.
    Steps {
        step: u64,
        loss: f64,
        losses: BTreeMap<String, f64>,
        grad_norm: f64,
        learning_rate: f64,
        seconds_per_step: f64,
        audio_seconds_per_second: f64,
    },
    /// A look at the validation songs.
    Validation {
        step: u64,
        seconds: f64,
        is_best: bool,
        scores: &'a Scores,
    },
    /// How far discriminators overfit, and what was done about it.
    Overfitting {
        step: u64,
        #[serde(flatten)]
        report: &'a ControlReport,
    },
    /// Something that a reader of the curves has to know.
    Notice { step: u64, text: &'a str },
}

/// An open log file.
#[derive(Debug)]
pub(super) struct Log {
    outputs: Option<Outputs>,
    /// Step whose stems were kept last.
    heard_at: Option<u64>,
}

/// Where the first rank writes.
#[derive(Debug)]
struct Outputs {
    file: File,
    board: Board,
}

impl Log {
    /// Opens the log to go on after `step`. Lines of later steps are removed: a run that was killed
    /// wrote them after its last saved state, and takes those steps again.
    pub(super) fn open(path: &Path, step: u64) -> Result<Self> {
        let opening = || format!("opening the log {}", path.display());
        if path.exists() {
            let text = std::fs::read_to_string(path).with_context(opening)?;
            let kept: String = text.lines().filter(|line| is_up_to(line, step)).fold(
                String::new(),
                |mut kept, line| {
                    kept.push_str(line);
                    kept.push('\n');
                    kept
                },
            );
            if kept.len() != text.len() {
                write_file(path, kept.as_bytes()).with_context(opening)?;
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            outputs: Some(Outputs {
                file: file.with_context(opening)?,
                board: Board::open(&path.with_file_name(tensorboard::FOLDER), step)?,
            }),
            heard_at: None,
        })
    }

    /// What ranks after the first write to.
    pub(super) fn nowhere() -> Self {
        Self {
            outputs: None,
            heard_at: None,
        }
    }

    /// Appends one line. A disk that is full is said on standard error and ends no training.
    pub(super) fn write(&mut self, event: &Event<'_>) {
        let Some(Outputs { file, board }) = &mut self.outputs else {
            return;
        };
        let line = match serde_json::to_value(event) {
            Ok(line) => line,
            Err(error) => {
                eprint_line!("the log misses a line: {error}");
                return;
            }
        };
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            eprint_line!("the log misses a line: {error}");
        }
        if let Err(error) = board.line(&line) {
            eprint_line!("TensorBoard's events miss a line: {error:#}");
        }
    }

    /// Whether stems are to be kept at `step`: at the first validation, and whenever the run has
    /// grown by a tenth, so that even a long one fills no disk.
    pub(super) fn wants_stems(&self, step: u64) -> bool {
        self.heard_at.is_none_or(|heard| step * 10 >= heard * 11)
    }

    /// Keeps the stems of a segment for TensorBoard, by name.
    pub(super) fn stems(&mut self, step: u64, stems: &[(String, Planar)], rate_hz: u32) {
        self.heard_at = Some(step);
        let Some(Outputs { board, .. }) = &mut self.outputs else {
            return;
        };
        for (name, stem) in stems {
            if let Err(error) = board.stem(name, step, stem, rate_hz) {
                eprint_line!("TensorBoard's events miss the {name}: {error:#}");
                return;
            }
        }
    }
}

/// Whether a whole line tells of `step` or an earlier one.
fn is_up_to(line: &str, step: u64) -> bool {
    let event = serde_json::from_str::<serde_json::Value>(line);
    event.is_ok_and(|event| event["step"].as_u64().is_some_and(|at| at <= step))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against curves that go back in time, and against a line cut off by a kill that spoils
    /// the next one.
    #[test]
    fn steps_that_are_taken_again_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let line = |step| format!("{{\"event\":\"steps\",\"step\":{step}}}\n");
        std::fs::write(&path, line(20) + &line(40) + &line(60) + "{\"event\":\"ste").unwrap();
        let mut log = Log::open(&path, 40).unwrap();
        log.write(&Event::Notice {
            step: 41,
            text: "on",
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let on = "{\"event\":\"notice\",\"step\":41,\"text\":\"on\"}\n";
        assert_eq!(text, line(20) + &line(40) + on);
    }
}
