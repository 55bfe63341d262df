//! The files of a run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::folder_lock::FolderLock;

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
    /// Held by the rank that writes.
    _lock: Option<FolderLock>,
}

impl RunFolder {
    /// Makes the folder where it is missing, and keeps it for this training if its process `writes`.
    ///
    /// # Errors
    /// Another training has it; it cannot be made.
    pub(super) fn create(folder: &Path, writes: bool) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the run's folder {}", folder.display()))?;
        let lock = writes.then(|| FolderLock::take(folder, "another training"));
        Ok(Self {
            _lock: lock.transpose()?,
            state: folder.join("state.safetensors"),
            best: folder.join("best.safetensors"),
            last: folder.join("last.safetensors"),
            log: folder.join("log.jsonl"),
        })
    }
}
