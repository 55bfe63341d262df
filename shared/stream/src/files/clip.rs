//! Whole files in memory, and the two channels a separator wants.

use std::path::Path;

use super::{FileError, FileReader};
use crate::Planar;

/// A whole recording in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Frames per second.
    pub rate_hz: u32,
    /// `[channels][frames]`, as many channels as the file has.
    pub audio: Planar,
}

/// Reads a whole file: all channels as they are, at the file's own rate.
///
/// # Errors
/// [`FileError`] if there is nothing to decode. A file that is damaged or cut off in the middle
/// gives what is there; use [`FileReader`] and [`FileReader::damage`] to hear about it.
pub fn read_clip(path: impl AsRef<Path>) -> Result<Clip, FileError> {
    FileReader::open(path)?.into_clip()
}

impl FileReader {
    /// Reads the rest of the file into memory.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn into_clip(mut self) -> Result<Clip, FileError> {
        const BLOCK_FRAMES: usize = 1 << 16;
        let mut audio = Planar::zeros(self.channels(), 0);
        while let Some(block) = self.read(BLOCK_FRAMES)? {
            audio.append(&block);
        }
        Ok(Clip {
            rate_hz: self.rate_hz(),
            audio,
        })
    }
}

/// Two channels from one or two: mono is copied to both sides; more than two come back as `Err`,
/// since how to fold them down depends on what they are.
///
/// # Errors
/// The untouched audio, if it has no channel or more than two.
pub fn to_stereo(audio: Planar) -> Result<Planar, Planar> {
    match audio.channel_count() {
        1 => {
            let mut channels = audio.into_channels();
            channels.push(channels[0].clone());
            // Two copies of one channel cannot differ in length.
            Ok(Planar::from_channels(channels).unwrap_or_default())
        }
        2 => Ok(audio),
        _ => Err(audio),
    }
}
