//! Writing a file block by block.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::FileError;
use super::encoding::{Encoding, Quantiser};
use super::flac::FlacEncoder;
use super::mp4::Mp4Writer;
use super::outside_encoder::OutsideEncoder;
use super::tags::Tags;
use super::temporary::TemporaryFile;
use super::wav::{WavFormat, WavWriter};
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

/// Samples of a block, channels taking turns.
#[derive(Clone, Copy, Debug)]
pub(super) enum Samples<'a> {
    Integers(&'a [i32]),
    Floats(&'a [f32]),
}

/// Makes [`Samples`] of blocks: the same memory for each.
#[derive(Debug)]
pub(super) struct Interleaver {
    quantiser: Option<Quantiser>,
    floats: Vec<f32>,
    integers: Vec<i32>,
}

impl Interleaver {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            quantiser: encoding.integer_bits().map(Quantiser::new),
            floats: Vec::new(),
            integers: Vec::new(),
        }
    }

    pub(super) fn samples(&mut self, block: &Planar) -> Samples<'_> {
        let frames = 0..block.frames();
        let samples = frames.flat_map(|frame| block.channels().map(move |channel| channel[frame]));
        self.floats.clear();
        self.integers.clear();
        if let Some(quantiser) = &mut self.quantiser {
            let quantised = samples.map(|sample| quantiser.quantise(sample));
            self.integers.extend(quantised);
            Samples::Integers(&self.integers)
        } else {
            self.floats.extend(samples);
            Samples::Floats(&self.floats)
        }
    }

    pub(super) fn clipped_samples(&self) -> u64 {
        self.quantiser.map_or(0, |quantiser| quantiser.clipped)
    }
}

/// Encodes an audio file block by block under a temporary name beside its target.
///
/// [`finish`](Self::finish) syncs the file and gives it its name; dropped before that, it leaves
/// nothing behind. Integers are rounded to nearest, full scale at ±1, without dither.
pub struct FileWriter {
    path: PathBuf,
    // Above `temporary`: what is still buffered goes out before the file is removed or renamed.
    encoder: Encoder,
    interleaver: Interleaver,
    temporary: TemporaryFile,
    tags: Tags,
    channels: usize,
    frames: u64,
    max_frames: u64,
}

enum Encoder {
    Wav(WavWriter<BufWriter<File>>),
    Flac(Box<FlacEncoder>),
    Mp4(Box<Mp4Writer>),
    Outside(OutsideEncoder),
}

impl FileWriter {
    /// Starts a file without tags; its folder must exist.
    ///
    /// # Errors
    /// As [`create_tagged`](Self::create_tagged).
    pub fn create(
        path: impl AsRef<Path>,
        rate_hz: u32,
        channels: usize,
        encoding: Encoding,
    ) -> Result<Self, FileError> {
        Self::create_tagged(path, rate_hz, channels, encoding, &Tags::default())
    }

    /// Starts a file that carries tags; its folder must exist.
    ///
    /// # Errors
    /// [`FileError::Write`] or [`FileError::DiskFull`]; [`FileError::Unwritable`] if the format
    /// cannot hold this rate or channel count; [`FileError::NoEncoder`].
    pub fn create_tagged(
        path: impl AsRef<Path>,
        rate_hz: u32,
        channels: usize,
        encoding: Encoding,
        tags: &Tags,
    ) -> Result<Self, FileError> {
        let path = path.as_ref();
        let temporary = started(path, rate_hz, channels, encoding)?;
        let encoder = Encoder::new(&temporary, rate_hz, channels, encoding, tags)
            .map_err(|error| FileError::writing(path, 0, error))?;
        Ok(Self {
            path: path.to_owned(),
            encoder,
            interleaver: Interleaver::new(encoding),
            temporary,
            tags: tags.clone(),
            channels,
            frames: 0,
            max_frames: encoding.max_frames(),
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
        self.encoder
            .write(self.interleaver.samples(block))
            .map_err(|error| FileError::writing(&self.path, self.temporary.bytes(), error))
    }

    /// Completes the file: everything is on disk under the final name when this returns.
    ///
    /// # Errors
    /// [`FileError::DiskFull`], [`FileError::Write`]; nothing is left behind then.
    pub fn finish(self) -> Result<Written, FileError> {
        let Self {
            path,
            encoder,
            interleaver,
            temporary,
            tags,
            frames,
            ..
        } = self;
        encoder
            .finish(frames, &tags)
            .map_err(|error| FileError::writing(&path, temporary.bytes(), error))?;
        published(&path, temporary, frames, &interleaver)
    }
}

/// Checks that a format can be written, and opens a file for it.
pub(super) fn started(
    path: &Path,
    rate_hz: u32,
    channels: usize,
    encoding: Encoding,
) -> Result<TemporaryFile, FileError> {
    if let Some(reason) = encoding.obstacle(rate_hz, channels) {
        return Err(FileError::Unwritable {
            path: path.to_owned(),
            reason,
        });
    }
    encoding.check_encoder()?;
    TemporaryFile::create(path).map_err(|error| FileError::writing(path, 0, error))
}

/// Gives a complete file its name.
pub(super) fn published(
    path: &Path,
    temporary: TemporaryFile,
    frames: u64,
    interleaver: &Interleaver,
) -> Result<Written, FileError> {
    let bytes = temporary.bytes();
    temporary
        .publish()
        .map_err(|error| FileError::writing(path, bytes, error))?;
    Ok(Written {
        frames,
        bytes,
        clipped_samples: interleaver.clipped_samples(),
    })
}

impl Encoder {
    fn new(
        temporary: &TemporaryFile,
        rate_hz: u32,
        channels: usize,
        encoding: Encoding,
        tags: &Tags,
    ) -> io::Result<Self> {
        let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
        let bits = encoding.integer_bits();
        Ok(match encoding {
            Encoding::Wav16 | Encoding::Wav24 | Encoding::Wav32Float => {
                let format = WavFormat::new(rate_hz, channels, bits).ok_or_else(unsupported)?;
                let file = BufWriter::new(temporary.writer()?);
                Self::Wav(WavWriter::new(file, format, tags)?)
            }
            Encoding::Flac16 | Encoding::Flac24 => {
                let bits = bits.ok_or_else(unsupported)?;
                let flac = FlacEncoder::new(temporary.writer()?, rate_hz, channels, bits, tags)?;
                Self::Flac(Box::new(flac))
            }
            Encoding::Aac(_) | Encoding::Alac16 => {
                let mp4 =
                    Mp4Writer::new(temporary.writer()?, rate_hz, channels, encoding, &["Sound"])?;
                Self::Mp4(Box::new(mp4))
            }
            Encoding::Mp3(_) | Encoding::Opus(_) => {
                let path = temporary.path();
                let outside = OutsideEncoder::to_file(path, encoding, rate_hz, channels, tags)?;
                Self::Outside(outside)
            }
        })
    }

    fn write(&mut self, samples: Samples<'_>) -> io::Result<()> {
        match (self, samples) {
            (Self::Wav(wav), samples) => wav.write(samples),
            (Self::Flac(flac), Samples::Integers(samples)) => flac.write(samples),
            (Self::Mp4(mp4), samples) => mp4.write(0, samples),
            (Self::Outside(encoder), Samples::Floats(samples)) => encoder.write(samples),
            // An encoding has either integers or floats.
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn finish(self, frames: u64, tags: &Tags) -> io::Result<()> {
        match self {
            Self::Wav(wav) => wav.finish().map(drop),
            Self::Flac(flac) => flac.finish(),
            Self::Mp4(mp4) => mp4.finish(frames, tags, None),
            Self::Outside(mut encoder) => encoder.finish(),
        }
    }
}
