//! Folders that go away again if nothing comes into them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

/// Folders that this process has created and may still remove, the innermost first.
static CREATED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn created() -> MutexGuard<'static, Vec<PathBuf>> {
    // A list of paths is sound whatever happened to the thread that held it.
    CREATED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes those of the new folders that are empty: for a program that is about to exit.
pub(super) fn remove_new_folders() {
    for folder in std::mem::take(&mut *created()) {
        // Fails, as it should, for a folder with something in it.
        let _ = fs::remove_dir(folder);
    }
}

/// The folders of one song's results; dropped, they are removed where they are new and empty.
pub(super) struct NewFolders(());

impl NewFolders {
    /// Creates the folders that `files` need.
    ///
    /// # Errors
    /// A folder that cannot be created.
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Result<Self> {
        let folders = Self(());
        for folder in files.filter_map(Path::parent) {
            let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
            let missing: Vec<_> = folder
                .ancestors()
                .take_while(is_missing)
                .map(Path::to_owned)
                .collect();
            created().splice(0..0, missing);
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        }
        Ok(folders)
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        remove_new_folders();
    }
}
