//! The files of one song's stems: all of them complete, or none of them there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bunri_stream::files::Written;
use bunri_stream::{Encoding, FileWriter, Planar};

use super::targets::Target;

/// Open files, one for each target.
pub(super) struct StemFiles {
    // Above the folder: its temporary files go before it can be found empty.
    writers: Vec<FileWriter>,
    folder: NewFolder,
}

impl StemFiles {
    /// Creates the folder, where there is none, and starts a file in it for each target.
    ///
    /// # Errors
    /// A folder or file that cannot be created, a rate that the format cannot hold.
    pub(super) fn create(
        folder: &Path,
        targets: &[Target],
        rate_hz: u32,
        channels: usize,
        encoding: Encoding,
    ) -> Result<Self> {
        let folder = NewFolder::create(folder)?;
        let writers = paths(&folder.path, targets, encoding)
            .into_iter()
            .map(|path| FileWriter::create(path, rate_hz, channels, encoding))
            .collect::<Result<_, _>>()?;
        Ok(Self { writers, folder })
    }

    /// Appends a block to each file, in the order of the targets.
    pub(super) fn write(&mut self, blocks: impl Iterator<Item = Planar>) -> Result<()> {
        for (writer, block) in self.writers.iter_mut().zip(blocks) {
            writer.write(&block)?;
        }
        Ok(())
    }

    /// Completes all files and gives them their names.
    pub(super) fn finish(self) -> Result<Vec<(PathBuf, Written)>> {
        let Self {
            writers,
            mut folder,
        } = self;
        let mut finished = Vec::with_capacity(writers.len());
        for writer in writers {
            let path = writer.path().to_owned();
            finished.push((path, writer.finish()?));
        }
        folder.keep();
        Ok(finished)
    }
}

/// The file names of the targets.
pub(super) fn paths(folder: &Path, targets: &[Target], encoding: Encoding) -> Vec<PathBuf> {
    let name = |target: &Target| format!("{}.{}", target.name, encoding.extension());
    targets
        .iter()
        .map(|target| folder.join(name(target)))
        .collect()
}

/// A folder that goes away again if nothing comes into it.
struct NewFolder {
    path: PathBuf,
    /// Folders that were not there before, the innermost first.
    created: Vec<PathBuf>,
}

impl NewFolder {
    fn create(path: &Path) -> Result<Self> {
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let created = path
            .ancestors()
            .take_while(is_missing)
            .map(Path::to_owned)
            .collect();
        let folder = Self {
            path: path.to_owned(),
            created,
        };
        fs::create_dir_all(path)
            .with_context(|| format!("cannot create the folder {}", path.display()))?;
        Ok(folder)
    }

    fn keep(&mut self) {
        self.created.clear();
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        for folder in &self.created {
            // Fails, as it should, for a folder with something in it.
            let _ = fs::remove_dir(folder);
        }
    }
}
