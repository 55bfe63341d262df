//! One process at a time in a folder: two would mix their files.
//!
//! The lock is the kernel's, on an open file (`flock`): it ends with its process, however that ends,
//! so that no stale lock is ever in the way. Linux passes it on to NFS servers (since 2.6.12), other
//! machines then see it too; where a file system has no locks, there is none.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The file in the folder. It stays: who removed it could remove another process's.
const NAME: &str = ".lock";

/// What a lock's file says about the process that holds it.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    process: u32,
    host: String,
    /// Seconds since 1970.
    since: u64,
}

/// A folder that belongs to this process until this is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder, which must exist. `work` says in the error what is going on in it.
    ///
    /// # Errors
    /// Another process has it: which, and since when. The file cannot be made.
    pub(crate) fn take(folder: &Path, work: &str) -> Result<Self> {
        let path = folder.join(NAME);
        let locking = || format!("locking the folder {}", folder.display());
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(locking)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "{}: {work} is going on in this folder, {}; wait for its end, or choose another folder",
                folder.display(),
                holder(&mut file)
            ),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(locking),
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let own = Holder {
            process: std::process::id(),
            host: host_name(),
            since: since.unwrap_or_default().as_secs(),
        };
        let text = serde_json::to_string(&own).with_context(locking)?;
        // For messages only: a full disk is no reason to refuse.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()));
        Ok(Self { _file: file })
    }
}

/// The process that holds the lock, in words.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let holder = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    let Some(Holder {
        process,
        host,
        since,
    }) = holder
    else {
        return "by a process that has just begun".to_owned();
    };
    let begun = UNIX_EPOCH + Duration::from_secs(since);
    let minutes = begun.elapsed().unwrap_or_default().as_secs() / 60;
    format!("by process {process} on {host}, for {minutes} min")
}

/// This machine's name.
pub(crate) fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards a run's files from a second process, and the folder from a lock that outlives its own.
    #[test]
    fn a_folder_has_one_owner_and_is_free_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path(), "a training").unwrap();
        let error = FolderLock::take(folder.path(), "a training").unwrap_err();
        let (error, process) = (error.to_string(), std::process::id());
        let expected = format!("by process {process} on {}, for 0 min", host_name());
        assert!(error.contains(&expected), "{error}");
        assert!(error.contains("a training is going on"), "{error}");
        drop(first);
        FolderLock::take(folder.path(), "a training").unwrap();
    }
}
