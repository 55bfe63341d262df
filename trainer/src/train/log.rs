//! The run's log: one JSON object per line, appended.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::validate::Scores;

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
        grad_norm: f64,
        learning_rate: f64,
        seconds_per_step: f64,
    },
    /// A look at the validation songs.
    Validation {
        step: u64,
        seconds: f64,
        is_best: bool,
        scores: &'a Scores,
    },
}

/// An open log file.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
}

impl Log {
    /// Opens the log to append to it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            file: file.with_context(|| format!("opening the log {}", path.display()))?,
        })
    }

    /// Appends one line.
    pub(super) fn write(&mut self, event: &Event<'_>) -> Result<()> {
        let mut line = serde_json::to_string(event)?;
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .context("writing the log")
    }
}
