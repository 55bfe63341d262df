//! A file that gets its final name only when it is complete.
//!
//! Its writer holds a lock on it, which dies with the process: a temporary file without one is what a
//! process left that was killed, and the next writer in that folder removes it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
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

/// Writes `bytes` as the file `path`, complete or not at all: as `<path>.tmp`, synced, then renamed. The
/// temporary name is always the same, so that a training that is killed again and again leaves one
/// such file at most. What is no file, `/dev/stdout` or a pipe say, is written to as it is.
///
/// # Errors
/// The system's error; the file that was there before is untouched then.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return fs::write(path, bytes);
    }
    let mut temporary = TemporaryFile::with_suffix(path, ".tmp")?;
    temporary.file.write_all(bytes)?;
    temporary.publish()
}

/// The file that a rename is to replace: at the end of links, if `path` is one.
///
/// # Errors
/// Whatever else is there must stay: a device or pipe (root could rename a file over `/dev/null`, and
/// every program would read it from then on), a folder.
fn replaceable(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => fs::canonicalize(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a file that can be replaced, but a folder, device or pipe; name a file",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    // A bare name lies in the current folder.
    Path::new(".").join(folder)
}

/// Removes the temporary files that killed processes left in a folder: those of
/// [`FileWriter`](super::FileWriter)'s names that no process has locked.
pub fn remove_abandoned(folder: &Path) {
    // A folder that cannot be listed shows no files to remove.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_temporary(&entry.file_name().to_string_lossy())
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // What cannot be removed does no harm but to the disk's space.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a name ends in `.<process>-<count>.tmp`.
fn is_temporary(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_suffix(".tmp")
        .and_then(|name| name.rsplit_once('.'))
        .and_then(|(_, numbers)| numbers.split_once('-'))
        .is_some_and(|(process, count)| is_number(process) && is_number(count))
}

/// A file under a temporary name beside its target; dropped unfinished, it is removed.
pub(super) struct TemporaryFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    renamed: bool,
}

impl TemporaryFile {
    /// Creates `<target>.<process>-<count>.tmp`, a name that no other writer has, and removes those
    /// that killed processes left in the same folder.
    ///
    /// # Errors
    /// The system's error; what is no file and no name of one is refused.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        remove_abandoned(&folder_of(&replaceable(target)?));
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let suffix = format!(".{}-{count}.tmp", std::process::id());
            let temporary = Self::with_suffix(target, &suffix)?;
            // Not every file system has locks, and without one nothing is ever removed.
            let _ = temporary.file.lock();
            // Another process may have taken the file for abandoned before it was locked.
            if temporary.path.exists() {
                return Ok(temporary);
            }
        }
    }

    /// Creates `<target><suffix>` in the target's folder, so that the rename stays within one file
    /// system.
    fn with_suffix(target: &Path, suffix: &str) -> io::Result<Self> {
        let target = replaceable(target)?;
        let mut name = target
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?
            .to_owned();
        name.push(suffix);
        let path = target.with_file_name(name);
        let file = File::create(&path)?;
        unfinished().insert(path.clone());
        Ok(Self {
            file,
            path,
            target,
            renamed: false,
        })
    }

    /// Where the file is until it is complete: for a program that writes it by name.
    pub(super) fn path(&self) -> &Path {
        &self.path
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
        if let Ok(folder) = File::open(folder_of(&self.target)) {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write_file(&path, b"first").unwrap();
        write_file(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_being_written_stays() {
        // Guards against full-size files that a `kill -9` leaves for ever.
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("drums.wav.4242-7.tmp");
        let others = ["drums.wav.tmp", "notes.1-2.txt", "drums.wav.a-1.tmp"];
        fs::write(&left, b"half a stem").unwrap();
        for name in others {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        let first = TemporaryFile::create(&folder.path().join("drums.wav")).unwrap();
        assert!(!left.exists());
        // Another process sees the file of the first one, and so does this one: locks belong to
        // open files.
        let second = TemporaryFile::create(&folder.path().join("bass.wav")).unwrap();
        first.publish().unwrap();
        second.publish().unwrap();
        let expected = others.len() + 2;
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), expected);
    }

    #[test]
    fn a_link_stays_and_the_file_at_its_end_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        let file = folder.path().join("store/model");
        fs::write(&file, b"first").unwrap();
        let link = folder.path().join("latest");
        symlink(&file, &link).unwrap();
        write_file(&link, b"second").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"second");
    }

    #[test]
    fn devices_are_written_to_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("null");
        symlink("/dev/null", &link).unwrap();
        write_file(&link, b"nothing").unwrap();
        let refused = TemporaryFile::create(&link).err().unwrap();
        assert!(refused.to_string().contains("name a file"), "{refused}");
        let there = fs::metadata(&link).unwrap().file_type();
        assert!(link.is_symlink() && there.is_char_device());
        assert!(TemporaryFile::create(folder.path()).is_err());
    }
}
