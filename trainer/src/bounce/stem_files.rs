//! The files of one song's stems: all of them complete, or none of them there.

use std::path::PathBuf;

use anyhow::Result;
use bunri_stream::files::Written;
use bunri_stream::{Encoding, FileWriter, Planar};

use super::new_folders::NewFolders;

/// Open files, one for each stem.
pub(super) struct StemFiles {
    // Above the folders: their temporary files go before they can be found empty.
    writers: Vec<FileWriter>,
    _folders: NewFolders,
}

impl StemFiles {
    /// Starts a file for each of `paths`, in folders that are created where there are none.
    ///
    /// # Errors
    /// A folder or file that cannot be created, a rate that the format cannot hold.
    pub(super) fn create(
        paths: &[PathBuf],
        rate_hz: u32,
        channels: usize,
        encoding: Encoding,
    ) -> Result<Self> {
        let folders = NewFolders::of(paths.iter().map(PathBuf::as_path))?;
        let writers = paths
            .iter()
            .map(|path| FileWriter::create(path, rate_hz, channels, encoding))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            writers,
            _folders: folders,
        })
    }

    /// Appends a block to each file, in the order of the paths.
    pub(super) fn write(&mut self, blocks: impl Iterator<Item = Planar>) -> Result<()> {
        for (writer, block) in self.writers.iter_mut().zip(blocks) {
            writer.write(&block)?;
        }
        Ok(())
    }

    /// Completes all files and gives them their names.
    pub(super) fn finish(self) -> Result<Vec<(PathBuf, Written)>> {
        let mut finished = Vec::with_capacity(self.writers.len());
        for writer in self.writers {
            let path = writer.path().to_owned();
            finished.push((path, writer.finish()?));
        }
        Ok(finished)
    }
}
