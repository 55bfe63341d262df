//! What can go wrong with an audio file, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why an audio file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is no file of that name.
    #[error("{}: no such file; check the name and the folder", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file is there and could not be opened or read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no bytes at all.
    #[error("{}: the file is empty (0 bytes); copy or download it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A pipe with a name, which can neither be looked through nor be waited for.
    #[error(
        "{}: a named pipe, not a file; write what comes out of it to a file first, or give it as \
         standard input (/dev/stdin)",
        path.display()
    )]
    NamedPipe {
        /// The pipe.
        path: PathBuf,
    },
    /// The file is of another kind altogether.
    #[error("{}: not a song but {what}; {advice}", path.display())]
    NotASong {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// No known audio format was recognised.
    #[error(
        "{}: not an audio file of a known format ({reason}); wav, aiff, flac, mp3, ogg/vorbis, caf, \
         mkv and m4a/aac can be read, and others with an ffmpeg program on PATH",
        path.display()
    )]
    NotAudio {
        /// The file.
        path: PathBuf,
        /// What the last reader said.
        reason: String,
    },
    /// The container is known, what is inside cannot be decoded.
    #[error(
        "{}: {what} cannot be read by the built-in decoders; convert it first: ffmpeg -i \"{}\" \"{}\" (with an ffmpeg \
         program on PATH, or named by BUNRI_FFMPEG, it is read as it is)",
        path.display(),
        path.display(),
        path.with_extension("wav").display()
    )]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The codec or feature.
        what: String,
    },
    /// The container has fewer audio tracks than the one that was asked for.
    #[error(
        "{}: has {tracks} audio tracks, track {} of it was asked for: it is not the container of \
         stems that it was taken for",
        path.display(),
        track + 1
    )]
    NoTrack {
        /// The file.
        path: PathBuf,
        /// Which track was asked for, counted from 0.
        track: usize,
        /// How many it has.
        tracks: usize,
    },
    /// The file ends before its first audible frame, or nothing in it could be decoded.
    #[error(
        "{}: no audio in it could be decoded ({bytes} bytes, {skipped} damaged packets): the file \
         is truncated or damaged; copy or download it again",
        path.display()
    )]
    NoAudio {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
        /// Packets that were there and could not be decoded.
        skipped: u64,
    },
    /// An mp4 without the index of its packets.
    #[error(
        "{}: its index (moov), which stands at the end, is missing: the file was cut off and nothing of it \
         can be decoded; copy or download it again",
        path.display()
    )]
    NoIndex {
        /// The file.
        path: PathBuf,
    },
    /// The sample rate or the channel count changes inside the file.
    #[error(
        "{}: changes from {from} to {to} after {frames} frames; convert the file to one rate and \
         channel count first",
        path.display()
    )]
    FormatChange {
        /// The file.
        path: PathBuf,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
        /// Frames read so far.
        frames: u64,
    },
    /// There is no room left for the file.
    #[error(
        "{}: the disk is full after {bytes} bytes of this file; free some space, or write to \
         another disk",
        path.display()
    )]
    DiskFull {
        /// The file that was being written; nothing is left of it.
        path: PathBuf,
        /// Bytes that had been written.
        bytes: u64,
    },
    /// The file could not be created, written or given its name.
    #[error("{}: cannot be written (after {bytes} bytes): {source}", path.display())]
    Write {
        /// The file; nothing is left of it.
        path: PathBuf,
        /// Bytes that had been written.
        bytes: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The format cannot hold what it was given.
    #[error("{}: cannot hold this audio: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The format needs a program that is not there.
    #[error(
        "{format} needs the program ffmpeg, but {reason}; install it (Debian, Ubuntu: apt install \
         ffmpeg; macOS: brew install ffmpeg; Windows: winget install ffmpeg) or name it in \
         BUNRI_FFMPEG; wav, flac and Apple Lossless need no other program"
    )]
    NoEncoder {
        /// The format.
        format: &'static str,
        /// What is missing.
        reason: String,
    },
    /// The format cannot hold a recording of this length.
    #[error(
        "{}: longer than the {max_frames} frames this format can hold; write wav or flac",
        path.display()
    )]
    TooLong {
        /// The file; nothing is left of it.
        path: PathBuf,
        /// The most frames it could hold.
        max_frames: u64,
    },
}

impl FileError {
    /// An error of the file system at opening or reading.
    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Read { path, source },
        }
    }

    /// An error of the file system at creating, writing or renaming, after `bytes` bytes.
    pub(super) fn writing(path: &Path, bytes: u64, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, bytes }
            }
            _ => Self::Write {
                path,
                bytes,
                source,
            },
        }
    }
}
