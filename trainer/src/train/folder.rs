//! The files of a run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where everything lies.
#[derive(Debug)]
pub(super) struct RunFolder {
    /// What a resumed run needs.
    pub(super) state: PathBuf,
    /// The checkpoint with the best validation.
    pub(super) best: PathBuf,
    /// The checkpoint of the last validation.
    pub(super) last: PathBuf,
    /// One JSON object per line.
    pub(super) log: PathBuf,
}

impl RunFolder {
    /// Makes the folder where it is missing.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the run's folder {}", folder.display()))?;
        Ok(Self {
            state: folder.join("state.safetensors"),
            best: folder.join("best.safetensors"),
            last: folder.join("last.safetensors"),
            log: folder.join("log.jsonl"),
        })
    }
}
