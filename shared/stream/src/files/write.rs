//! Writing a file block by block.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::FileError;
use super::encoding::{Encoding, Quantiser};
use super::flac::FlacEncoder;
use super::temporary::TemporaryFile;
use crate::Planar;

/// What a finished file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Frames per channel.
    pub frames: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Samples beyond full scale that were clipped, all channels together; 0 with floats.
    pub clipped_samples: u64,
}

/// Encodes an audio file block by block under a temporary name beside its target.
///
/// [`finish`](Self::finish) syncs the file and gives it its name; dropped before that, it leaves
/// nothing behind. Integers are rounded to nearest, full scale at ±1, without dither.
pub struct FileWriter {
    path: PathBuf,
    // Above `temporary`: what is still buffered goes out before the file is removed or renamed.
    encoder: Encoder,
    quantiser: Option<Quantiser>,
    temporary: TemporaryFile,
    channels: usize,
    frames: u64,
    max_frames: u64,
}

enum Encoder {
    Wav(hound::WavWriter<BufWriter<File>>),
    Flac(Box<FlacEncoder>),
}

impl FileWriter {
    /// Starts a file; its folder must exist.
    ///
    /// # Errors
    /// [`FileError::Write`] or [`FileError::DiskFull`]; [`FileError::Unwritable`] if the format
    /// cannot hold this rate or channel count.
    pub fn create(
        path: impl AsRef<Path>,
        rate_hz: u32,
        channels: usize,
        encoding: Encoding,
    ) -> Result<Self, FileError> {
        let path = path.as_ref();
        let unwritable = |reason: String| FileError::Unwritable {
            path: path.to_owned(),
            reason,
        };
        let channels_16 = u16::try_from(channels)
            .ok()
            .filter(|&count| count > 0 && rate_hz > 0)
            .ok_or_else(|| unwritable(format!("{channels} channels at {rate_hz} Hz")))?;
        let failed = |error| FileError::writing(path, 0, error);
        let temporary = TemporaryFile::create(path).map_err(failed)?;
        let file = temporary.writer().map_err(failed)?;
        let encoder = match encoding {
            Encoding::Wav16 | Encoding::Wav24 | Encoding::Wav32Float => {
                let spec = hound::WavSpec {
                    channels: channels_16,
                    sample_rate: rate_hz,
                    bits_per_sample: encoding.integer_bits().unwrap_or(32) as u16,
                    sample_format: match encoding.integer_bits() {
                        Some(_) => hound::SampleFormat::Int,
                        None => hound::SampleFormat::Float,
                    },
                };
                hound::WavWriter::new(BufWriter::new(file), spec)
                    .map(Encoder::Wav)
                    .map_err(wav_error)
            }
            Encoding::Flac16 | Encoding::Flac24 => {
                let bits = encoding.integer_bits().unwrap_or(24);
                FlacEncoder::new(file, rate_hz, channels, bits)
                    .map(|encoder| Encoder::Flac(Box::new(encoder)))
            }
        }
        .map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => unwritable(error.to_string()),
            _ => failed(error),
        })?;
        let bytes_per_frame =
            u64::from(encoding.integer_bits().unwrap_or(32) / 8) * channels as u64;
        let max_frames = match encoder {
            // Sizes in a WAV header have 32 bits and count the rest of the header as well.
            Encoder::Wav(_) => (u64::from(u32::MAX) - 256) / bytes_per_frame,
            // 36 bits in a FLAC header.
            Encoder::Flac(_) => (1 << 36) - 1,
        };
        Ok(Self {
            path: path.to_owned(),
            encoder,
            quantiser: encoding.integer_bits().map(Quantiser::new),
            temporary,
            channels,
            frames: 0,
            max_frames,
        })
    }

    /// Where the file will be once finished.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a block of any length.
    ///
    /// # Errors
    /// [`FileError::DiskFull`], [`FileError::Write`]; [`FileError::TooLong`] beyond what the
    /// format can hold; [`FileError::Unwritable`] if the block has another channel count.
    pub fn write(&mut self, block: &Planar) -> Result<(), FileError> {
        if block.channel_count() != self.channels {
            return Err(FileError::Unwritable {
                path: self.path.clone(),
                reason: format!("{} channels into {}", block.channel_count(), self.channels),
            });
        }
        self.frames += block.frames() as u64;
        if self.frames > self.max_frames {
            return Err(FileError::TooLong {
                path: self.path.clone(),
                max_frames: self.max_frames,
            });
        }
        self.encode(block)
            .map_err(|error| FileError::writing(&self.path, self.temporary.bytes(), error))
    }

    fn encode(&mut self, block: &Planar) -> io::Result<()> {
        for frame in 0..block.frames() {
            for channel in block.channels() {
                let sample = channel[frame];
                match (&mut self.encoder, &mut self.quantiser) {
                    (Encoder::Wav(wav), Some(quantiser)) => {
                        wav.write_sample(quantiser.quantise(sample))
                            .map_err(wav_error)?;
                    }
                    (Encoder::Wav(wav), None) => wav.write_sample(sample).map_err(wav_error)?,
                    (Encoder::Flac(flac), Some(quantiser)) => {
                        flac.write(quantiser.quantise(sample))?;
                    }
                    // FLAC encodings always have integer bits.
                    (Encoder::Flac(_), None) => {}
                }
            }
        }
        Ok(())
    }

    /// Completes the file: everything is on disk under the final name when this returns.
    ///
    /// # Errors
    /// [`FileError::DiskFull`], [`FileError::Write`]; nothing is left behind then.
    pub fn finish(self) -> Result<Written, FileError> {
        let Self {
            path,
            encoder,
            quantiser,
            temporary,
            frames,
            ..
        } = self;
        let failed = |error| FileError::writing(&path, temporary.bytes(), error);
        match encoder {
            Encoder::Wav(wav) => wav.finalize().map_err(wav_error),
            Encoder::Flac(flac) => flac.finish(),
        }
        .map_err(failed)?;
        let bytes = temporary.bytes();
        temporary
            .publish()
            .map_err(|error| FileError::writing(&path, bytes, error))?;
        let clipped_samples = quantiser.map_or(0, |quantiser| quantiser.clipped);
        Ok(Written {
            frames,
            bytes,
            clipped_samples,
        })
    }
}

fn wav_error(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::new(io::ErrorKind::Unsupported, other.to_string()),
    }
}
