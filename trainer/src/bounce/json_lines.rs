//! The file that `--json` names: one record a line, each written when its song is done.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::console::Console;
use super::record::Record;

/// Takes the records of a run.
#[derive(Debug)]
pub(super) struct JsonLines {
    path: PathBuf,
    file: File,
    is_standard_output: bool,
}

impl JsonLines {
    /// Opens `path` to append to it; `-` and `/dev/stdout` are standard output.
    ///
    /// # Errors
    /// A folder that is not there, no permission.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let context = || format!("--json {}: cannot be written", path.display());
        let standard_output = standard_output().with_context(context)?;
        let is_standard_output = path == Path::new("-") || is_same(path, &standard_output);
        let file = match is_standard_output {
            true => standard_output,
            false => open_to_append(path).with_context(context)?,
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            is_standard_output,
        })
    }

    /// Where the user reads what is said beside the records.
    pub(super) fn console(&self) -> Console {
        match self.is_standard_output {
            true => Console::StandardError,
            false => Console::Both,
        }
    }

    /// Appends a line. A reader that has left is no failure.
    ///
    /// # Errors
    /// A full disk.
    pub(super) fn append(&mut self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        match self.file.write_all(&line) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.with_context(|| {
                format!(
                    "--json {}: a record could not be written",
                    self.path.display()
                )
            }),
        }
    }
}

fn standard_output() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

fn is_same(path: &Path, open: &File) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let there = fs::metadata(path).map(identity).ok();
    there.is_some() && there == open.metadata().map(identity).ok()
}

fn open_to_append(path: &Path) -> io::Result<File> {
    // Pipes and devices are not read.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return OpenOptions::new().write(true).open(path);
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    if file.metadata()?.len() > 0 {
        // A run that was killed may have left half a line.
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}
