//! The files of one song's results: all of them complete, or none of them there.

use std::path::PathBuf;

use anyhow::Result;
use bunri_stream::files::{StemFileWriter, Tags, Written};
use bunri_stream::{FileWriter, Planar};

use super::new_folders::NewFolders;
use super::outputs::Outputs;

/// Open files.
pub(super) struct StemFiles {
    // Above the folders: their temporary files go before they can be found empty.
    writers: Writers,
    _folders: NewFolders,
}

enum Writers {
    /// One for each target.
    Separate(Vec<FileWriter>),
    /// All in one.
    StemFile {
        writer: Box<StemFileWriter>,
        /// The target on each track after the mixture.
        tracks: [usize; StemFileWriter::STEM_NAMES.len()],
        /// What has been read of the song, and not yet separated.
        mixture: Planar,
    },
}

impl StemFiles {
    /// Starts the files at `paths`, in folders that are created where there are none. Each carries the
    /// song's tags.
    ///
    /// # Errors
    /// A folder or file that cannot be created, a rate that the format cannot hold.
    pub(super) fn create(
        paths: &[PathBuf],
        rate_hz: u32,
        channels: usize,
        outputs: Outputs,
        tags: &Tags,
    ) -> Result<Self> {
        let folders = NewFolders::of(paths.iter().map(PathBuf::as_path))?;
        let Outputs {
            encoding,
            stem_tracks,
        } = outputs;
        let writers = match (stem_tracks, paths) {
            (Some(tracks), [path, ..]) => Writers::StemFile {
                writer: Box::new(StemFileWriter::create(path, rate_hz, encoding, tags)?),
                tracks,
                mixture: Planar::zeros(channels, 0),
            },
            _ => {
                let writers = paths
                    .iter()
                    .map(|path| FileWriter::create_tagged(path, rate_hz, channels, encoding, tags));
                Writers::Separate(writers.collect::<Result<_, _>>()?)
            }
        };
        Ok(Self {
            writers,
            _folders: folders,
        })
    }

    /// Keeps a block of the song for results that hold the mixture as well.
    pub(super) fn keep_mixture(&mut self, block: &Planar) {
        if let Writers::StemFile { mixture, .. } = &mut self.writers {
            mixture.append(block);
        }
    }

    /// Appends a block of each target.
    pub(super) fn write(&mut self, blocks: impl Iterator<Item = Planar>) -> Result<()> {
        match &mut self.writers {
            Writers::Separate(writers) => {
                for (writer, block) in writers.iter_mut().zip(blocks) {
                    writer.write(&block)?;
                }
            }
            Writers::StemFile {
                writer,
                tracks,
                mixture,
            } => {
                let blocks: Vec<_> = blocks.collect();
                let frames = blocks.first().map_or(0, Planar::frames);
                writer.write(0, &mixture.slice(0, frames))?;
                *mixture = mixture.slice(frames, mixture.frames() - frames);
                for (track, &target) in (1..).zip(&*tracks) {
                    writer.write(track, &blocks[target])?;
                }
            }
        }
        Ok(())
    }

    /// Completes all files and gives them their names.
    pub(super) fn finish(self) -> Result<Vec<(PathBuf, Written)>> {
        let writers = match self.writers {
            Writers::Separate(writers) => writers,
            Writers::StemFile { writer, .. } => {
                return Ok(vec![(writer.path().to_owned(), writer.finish()?)]);
            }
        };
        let mut finished = Vec::with_capacity(writers.len());
        for writer in writers {
            let path = writer.path().to_owned();
            finished.push((path, writer.finish()?));
        }
        Ok(finished)
    }
}
