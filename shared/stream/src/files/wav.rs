//! RIFF WAVE, and RF64 (EBU Tech 3306) once a file has become larger than RIFF can say.
//!
//! ```text
//! RIFF size WAVE │ JUNK 28 │ fmt │ fact (floats) │ LIST INFO (tags) │ data size │ samples
//! RF64  -1  WAVE │ ds64 28 │  …
//! ```
//!
//! The sizes are known at the end, so the place of `ds64` is kept from the start by a chunk that
//! every reader skips, as recorders do. Samples begin at once: nothing moves at the end.

use std::io::{self, Seek, SeekFrom, Write};

use super::tags::Tags;
use super::write::Samples;

const FORMAT_PCM: u16 = 1;
const FORMAT_FLOAT: u16 = 3;
const FORMAT_EXTENSIBLE: u16 = 0xFFFE;
/// What follows the format's number in a sub-format's identifier.
const SUB_FORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
/// 64-bit sizes of the file, of `data`, and the number of frames; an empty table.
const DS64_BYTES: u32 = 28;

/// Rate, channels and samples of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct WavFormat {
    pub(super) rate_hz: u32,
    pub(super) channels: u16,
    /// Bits of an integer, or 32-bit floats.
    pub(super) integer_bits: Option<u16>,
}

impl WavFormat {
    /// `None` beyond what the fields of the header hold.
    pub(super) fn new(rate_hz: u32, channels: usize, integer_bits: Option<u32>) -> Option<Self> {
        let format = Self {
            rate_hz,
            channels: u16::try_from(channels).ok()?,
            integer_bits: integer_bits.map(|bits| bits as u16),
        };
        let frame_bytes = u16::try_from(format.frame_bytes()).ok()?;
        rate_hz.checked_mul(u32::from(frame_bytes))?;
        Some(format)
    }

    fn bits(self) -> u16 {
        self.integer_bits.unwrap_or(32)
    }

    fn frame_bytes(self) -> u32 {
        u32::from(self.channels) * u32::from(self.bits() / 8)
    }

    fn chunk(self) -> Vec<u8> {
        let number = match self.integer_bits {
            Some(_) => FORMAT_PCM,
            None => FORMAT_FLOAT,
        };
        // More than two channels need the form that says which speakers they belong to.
        let extensible = self.channels > 2;
        let mut chunk = Vec::new();
        let tag = if extensible {
            FORMAT_EXTENSIBLE
        } else {
            number
        };
        chunk.extend(tag.to_le_bytes());
        chunk.extend(self.channels.to_le_bytes());
        chunk.extend(self.rate_hz.to_le_bytes());
        chunk.extend((self.rate_hz * self.frame_bytes()).to_le_bytes());
        chunk.extend((self.frame_bytes() as u16).to_le_bytes());
        chunk.extend(self.bits().to_le_bytes());
        if extensible {
            chunk.extend(22_u16.to_le_bytes());
            chunk.extend(self.bits().to_le_bytes());
            // The first of the 18 places that there are, in their order.
            let speakers = (1_u32 << self.channels.min(18)) - 1;
            chunk.extend(speakers.to_le_bytes());
            chunk.extend(number.to_le_bytes());
            chunk.extend(SUB_FORMAT);
        } else if number != FORMAT_PCM {
            chunk.extend(0_u16.to_le_bytes());
        }
        chunk
    }
}

/// Writes samples as they come, channels taking turns.
pub(super) struct WavWriter<W: Write + Seek> {
    file: W,
    format: WavFormat,
    /// Where the audio begins.
    data_start: u64,
    data_bytes: u64,
    /// Where the number of frames stands, in files that have to say it.
    fact_at: Option<u64>,
    /// The largest size that the header can hold; smaller in tests.
    max_riff_bytes: u64,
}

impl<W: Write + Seek> WavWriter<W> {
    pub(super) fn new(mut file: W, format: WavFormat, tags: &Tags) -> io::Result<Self> {
        let mut header = b"RIFF\0\0\0\0WAVE".to_vec();
        chunk(&mut header, *b"JUNK", &[0; DS64_BYTES as usize]);
        chunk(&mut header, *b"fmt ", &format.chunk());
        let fact_at = format.integer_bits.is_none().then(|| {
            chunk(&mut header, *b"fact", &[0; 4]);
            header.len() as u64 - 4
        });
        let info = info(tags);
        if !info.is_empty() {
            chunk(&mut header, *b"LIST", &[b"INFO", &info[..]].concat());
        }
        header.extend(*b"data\0\0\0\0");
        file.write_all(&header)?;
        Ok(Self {
            file,
            format,
            data_start: header.len() as u64,
            data_bytes: 0,
            fact_at,
            max_riff_bytes: u64::from(u32::MAX),
        })
    }

    pub(super) fn write(&mut self, samples: Samples<'_>) -> io::Result<()> {
        let bytes = usize::from(self.format.bits() / 8);
        let mut put = |sample: [u8; 4]| self.file.write_all(&sample[..bytes]);
        let samples = match samples {
            Samples::Integers(samples) => {
                samples
                    .iter()
                    .try_for_each(|sample| put(sample.to_le_bytes()))?;
                samples.len()
            }
            Samples::Floats(samples) => {
                samples
                    .iter()
                    .try_for_each(|sample| put(sample.to_le_bytes()))?;
                samples.len()
            }
        };
        self.data_bytes += (samples * bytes) as u64;
        Ok(())
    }

    /// Fills in the sizes.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.data_bytes % 2 == 1 {
            self.file.write_all(&[0])?;
        }
        let padded = self.data_bytes + self.data_bytes % 2;
        let riff_bytes = self.data_start + padded - 8;
        let frames = self.data_bytes / u64::from(self.format.frame_bytes());
        let is_large = riff_bytes > self.max_riff_bytes;
        let told = |size: u64| match is_large {
            false => (size as u32).to_le_bytes(),
            true => u32::MAX.to_le_bytes(),
        };
        if is_large {
            self.put(0, b"RF64")?;
            let mut sizes = Vec::new();
            chunk(&mut sizes, *b"ds64", &{
                let sizes = [riff_bytes, self.data_bytes, frames].map(u64::to_le_bytes);
                [sizes.as_flattened(), &[0; 4]].concat()
            });
            self.put(12, &sizes)?;
        }
        self.put(4, &told(riff_bytes))?;
        self.put(self.data_start - 4, &told(self.data_bytes))?;
        if let Some(at) = self.fact_at {
            self.put(at, &told(frames))?;
        }
        self.file.flush()?;
        Ok(self.file)
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)
    }
}

/// Appends a chunk; they begin at even places.
fn chunk(to: &mut Vec<u8>, name: [u8; 4], body: &[u8]) {
    to.extend(name);
    to.extend((body.len() as u32).to_le_bytes());
    to.extend(body);
    to.extend(&[0][..body.len() % 2]);
}

fn info(tags: &Tags) -> Vec<u8> {
    let mut info = Vec::new();
    for (field, value) in tags.iter() {
        if let Some(name) = field.riff_name() {
            chunk(&mut info, *name, &[value.as_bytes(), &[0]].concat());
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn written(max_riff_bytes: u64) -> Vec<u8> {
        let format = WavFormat::new(48_000, 1, Some(24)).unwrap();
        let mut wav = WavWriter::new(Cursor::new(Vec::new()), format, &Tags::default()).unwrap();
        wav.max_riff_bytes = max_riff_bytes;
        wav.write(Samples::Integers(&[0, 1, 2, 3, 4])).unwrap();
        wav.finish().unwrap().into_inner()
    }

    #[test]
    fn a_file_too_large_for_riff_becomes_rf64_and_no_sample_moves() {
        // Guards against an error after hours of work: a stem that passed 4 GiB.
        let small = written(u64::from(u32::MAX));
        // 15 bytes of samples and one that pads them.
        let riff_bytes = small.len() as u64 - 8;
        assert_eq!(written(riff_bytes), small);
        let large = written(riff_bytes - 1);
        assert_eq!((&large[..4], &large[12..16]), (&b"RF64"[..], &b"ds64"[..]));
        let size = |at: usize| u64::from_le_bytes(large[at..at + 8].try_into().unwrap());
        assert_eq!((size(20), size(28), size(36)), (riff_bytes, 15, 5));
        let data = large.len() - 16;
        assert_eq!(large[data - 8..data - 4], *b"data");
        for at in [4, data - 4] {
            assert_eq!(large[at..at + 4], [0xFF; 4]);
        }
        assert_eq!(large[data..], small[data..]);
        assert_eq!(small[data - 4..data], 15_u32.to_le_bytes());
    }

    #[test]
    fn what_the_fields_of_the_header_cannot_hold_is_refused() {
        assert!(WavFormat::new(u32::MAX, 1, Some(16)).is_none());
        assert!(WavFormat::new(44_100, 20_000, None).is_none());
        assert!(WavFormat::new(655_350, 8, None).is_some());
    }
}
