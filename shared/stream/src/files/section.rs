//! A stretch of a file, as a decoder is to see it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use symphonia::core::io::MediaSource;

/// The bytes of a file within a range, some of them replaced: what follows a recording (tags) and what
/// is wrong in a header never reaches the decoder.
pub(super) struct Section {
    file: File,
    range: Range<u64>,
    /// Place in the file of the next byte.
    at: u64,
    patches: Vec<Patch>,
}

/// Bytes that stand in a header instead of those of the file.
pub(super) struct Patch {
    /// Place in the file.
    pub(super) at: u64,
    pub(super) bytes: Vec<u8>,
}

impl Section {
    pub(super) fn new(mut file: File, range: Range<u64>, patches: Vec<Patch>) -> io::Result<Self> {
        let at = file.seek(SeekFrom::Start(range.start))?;
        Ok(Self {
            file,
            range,
            at,
            patches,
        })
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.range.end.saturating_sub(self.at);
        let wanted = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut buffer[..wanted])?;
        for Patch { at, bytes } in &self.patches {
            for (place, &byte) in (*at..).zip(bytes) {
                if let Some(offset) = place.checked_sub(self.at)
                    && offset < read as u64
                {
                    buffer[offset as usize] = byte;
                }
            }
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(offset) => self.range.start.checked_add(offset),
            SeekFrom::End(offset) => self.range.end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        let at = at
            .filter(|&at| at >= self.range.start)
            .ok_or(io::ErrorKind::InvalidInput)?;
        self.at = self.file.seek(SeekFrom::Start(at))?;
        Ok(self.at - self.range.start)
    }
}

impl MediaSource for Section {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.range.end - self.range.start)
    }
}

/// Up to `bytes` bytes from a place on; fewer at the file's end.
pub(super) fn bytes_at(file: &mut File, at: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(bytes).read_to_end(&mut read)?;
    Ok(read)
}
