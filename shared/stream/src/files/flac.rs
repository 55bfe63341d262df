//! FLAC, one block of samples at a time.

use std::fs::File;
use std::io::{self, BufWriter};

use flac_codec::Error;
use flac_codec::encode::{FlacSampleWriter, Options};

use super::tags::Tags;

/// The most that the header of a frame can say (RFC 9639, 9.1.2).
pub(super) const MAX_RATE_HZ: u32 = 655_350;
/// RFC 9639, 8.2.
pub(super) const MAX_CHANNELS: usize = 8;
/// The header counts them in 36 bits.
pub(super) const MAX_FRAMES: u64 = (1 << 36) - 1;

/// Encodes blocks as they fill up, so memory does not grow with the file.
pub(super) struct FlacEncoder {
    writer: FlacSampleWriter<BufWriter<File>>,
}

impl FlacEncoder {
    pub(super) fn new(
        file: File,
        rate_hz: u32,
        channels: usize,
        bits: u32,
        tags: &Tags,
    ) -> io::Result<Self> {
        // The seek table would take the place of padding, and readers find their way without one.
        let options = tags.iter().fold(
            Options::default().no_padding().no_seektable(),
            |options, (field, value)| options.tag(field.vorbis_name(), value),
        );
        let channels = u8::try_from(channels).map_err(io::Error::other)?;
        let file = BufWriter::new(file);
        FlacSampleWriter::new(file, options, rate_hz, bits, channels, None)
            .map(|writer| Self { writer })
            .map_err(io_error)
    }

    /// Takes samples, channels taking turns.
    pub(super) fn write(&mut self, interleaved: &[i32]) -> io::Result<()> {
        self.writer.write(interleaved).map_err(io_error)
    }

    /// Writes the last, shorter block, and the header again now that the totals are known.
    pub(super) fn finish(self) -> io::Result<()> {
        match self.writer.finalize() {
            // The header of a file without audio says nothing of its length, as FLAC has it.
            Err(Error::NoSamples) => Ok(()),
            result => result.map_err(io_error),
        }
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
