//! A file that gets its final name only when it is complete.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // A set of paths is sound whatever happened to the thread that held it.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of every [`FileWriter`](super::FileWriter) of this process: for a
/// program that is about to exit without dropping them. Writers that are still in use fail later,
/// when they would give their file its name.
pub fn remove_unfinished() {
    for path in std::mem::take(&mut *unfinished()) {
        // Nobody is left to hear about a failure here.
        let _ = fs::remove_file(path);
    }
}

/// A file under a temporary name beside its target; dropped unfinished, it is removed.
pub(super) struct TemporaryFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    renamed: bool,
}

impl TemporaryFile {
    /// Creates `<target>.<process>-<count>.tmp` in the target's folder, so that the rename stays
    /// within one file system.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = target
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?
            .to_owned();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}-{count}.tmp", std::process::id()));
        let path = target.with_file_name(name);
        let file = File::create(&path)?;
        unfinished().insert(path.clone());
        Ok(Self {
            file,
            path,
            target: target.to_owned(),
            renamed: false,
        })
    }

    /// Another handle to write through.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Bytes that have reached the file system so far.
    pub(super) fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Makes the content safe on disk and gives the file its name, replacing what was there.
    pub(super) fn publish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.renamed = true;
        unfinished().remove(&self.path);
        // The new name outlives a power cut once its folder is synced. Not every file system can
        // do that, and the file is complete either way.
        let folder = self
            .target
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.renamed {
            unfinished().remove(&self.path);
            // Nobody is left to hear about a failure here.
            let _ = fs::remove_file(&self.path);
        }
    }
}
