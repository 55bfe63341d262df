//! The run's log: one JSON object per line, appended.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use bunri_model::checkpoint::write_atomically;
use serde::Serialize;

use super::validate::Scores;
use crate::adversarial::ControlReport;

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
    file: Option<File>,
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
                write_atomically(path, kept.as_bytes()).with_context(opening)?;
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            file: Some(file.with_context(opening)?),
        })
    }

    /// What ranks after the first write to.
    pub(super) fn nowhere() -> Self {
        Self { file: None }
    }

    /// Appends one line. A disk that is full is said on standard error and ends no training.
    pub(super) fn write(&mut self, event: &Event<'_>) {
        let Some(file) = &mut self.file else {
            return;
        };
        let written = serde_json::to_string(event).map_err(std::io::Error::from);
        let written = written.and_then(|line| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            eprintln!("the log misses a line: {error}");
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
