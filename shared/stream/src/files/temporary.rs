//! A file that gets its final name only when it is complete.

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

/// A file under a temporary name beside its target; dropped unfinished, it is removed.
pub(super) struct TemporaryFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    renamed: bool,
}

impl TemporaryFile {
    /// Creates `<target>.<process>-<count>.tmp`: a name that no other writer has.
    ///
    /// # Errors
    /// The system's error; what is no file and no name of one is refused.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::with_suffix(target, &format!(".{}-{count}.tmp", std::process::id()))
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
