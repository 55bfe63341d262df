//! One stem of one song, decoded, as it lies in the cache.
//!
//! The file: a header of 64 bytes, the samples (16-bit integers, little endian, left and right in
//! turn), then a byte per second that says whether it is audible.
//!
//! Why 16 bits: half the disk and half the reading of floats, and most music comes in them: a
//! 16-bit file comes back bit for bit. What is finer (24 bits, lossy files) gets noise at -98 dBFS,
//! below its own. What is louder than full scale, as decoded lossy files are, is scaled down in the
//! file and up again in [`Track::segment`], so that nothing is clipped.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bunri_stream::Planar;

use super::mapped::Mapped;

/// First bytes of a file of the cache; the last one is the format's version.
const MAGIC: [u8; 8] = *b"bunriPC\x01";
pub(super) const HEADER_BYTES: usize = 64;
/// Two channels of two bytes.
pub(super) const FRAME_BYTES: usize = 4;
/// One step of 16-bit audio.
pub(super) const STEP: f32 = 1.0 / 32_768.0;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) rate_hz: u32,
    pub(super) frames: u64,
    /// What an integer of 1 stands for.
    pub(super) scale: f32,
    /// What became silence.
    pub(super) invalid: Invalid,
}

/// Samples of the decoded file that were NaN, infinite or absurdly loud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) samples: u64,
    /// When the first of them came.
    pub(super) first_ms: u64,
}

impl Header {
    /// Seconds, a started one counted as one.
    fn seconds(self) -> Option<usize> {
        usize::try_from(self.frames.div_ceil(u64::from(self.rate_hz.max(1)))).ok()
    }

    pub(super) fn to_bytes(self, audible_seconds: &[u8]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.frames.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.rate_hz.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.scale.to_le_bytes());
        let checksum = checksum(&bytes[..24], audible_seconds);
        bytes[24..32].copy_from_slice(&checksum.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.invalid.samples.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.invalid.first_ms.to_le_bytes());
        bytes
    }

    /// The header of a file and where its audible seconds begin; `None` if the file is damaged, of
    /// another length than it says, or of another version.
    fn of(file: &[u8]) -> Option<(Self, usize)> {
        let (head, _) = file.split_first_chunk::<HEADER_BYTES>()?;
        let header = Self {
            frames: u64::from_le_bytes(*head[8..].first_chunk()?),
            rate_hz: u32::from_le_bytes(*head[16..].first_chunk()?),
            scale: f32::from_le_bytes(*head[20..].first_chunk()?),
            invalid: Invalid {
                samples: u64::from_le_bytes(*head[32..].first_chunk()?),
                first_ms: u64::from_le_bytes(*head[40..].first_chunk()?),
            },
        };
        let samples = usize::try_from(header.frames)
            .ok()?
            .checked_mul(FRAME_BYTES)?;
        let seconds_at = samples.checked_add(HEADER_BYTES)?;
        let audible = file.get(seconds_at..)?;
        let is_whole = Some(audible.len()) == header.seconds() && header.rate_hz > 0;
        (is_whole && header.to_bytes(audible) == *head).then_some((header, seconds_at))
    }
}

/// FNV-1a, for accidents: the samples are left out, since checking them would read them all.
fn checksum(header: &[u8], audible_seconds: &[u8]) -> u64 {
    let bytes = header.iter().chain(audible_seconds);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// One stem of one song in stereo, ready to be cut into segments. Clones share the file.
#[derive(Clone, Debug)]
pub struct Track {
    file: Arc<Mapped>,
    header: Header,
    /// Where the audible seconds begin, in bytes.
    seconds_at: usize,
}

impl Track {
    /// Maps a file of the cache; `None` if it is damaged or cut off.
    pub(super) fn open(file: &File) -> io::Result<Option<Self>> {
        if file.metadata()?.len() < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let mapped = Mapped::new(file)?;
        let Some((header, seconds_at)) = Header::of(&mapped) else {
            return Ok(None);
        };
        Ok(Some(Self {
            file: Arc::new(mapped),
            header,
            seconds_at,
        }))
    }

    /// Length in frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        (self.seconds_at - HEADER_BYTES) / FRAME_BYTES
    }

    /// A sentence about samples that were invalid in the file and are silence here, if there were any.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let Invalid { samples, first_ms } = self.header.invalid;
        (samples > 0).then(|| {
            format!(
                "{samples} invalid samples (NaN, infinite or above +60 dBFS) are silence, the first at \
                 {:.3} s",
                first_ms as f64 / 1e3
            )
        })
    }

    /// Sample rate in Hz.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.header.rate_hz
    }

    /// A copy of `frames` frames from `start`, `[2][frames]`; what lies beyond the end is silence.
    #[must_use]
    pub fn segment(&self, start: usize, frames: usize) -> Planar {
        let mut left = vec![0.0; frames];
        let mut right = vec![0.0; frames];
        let samples = &self.file[HEADER_BYTES..self.seconds_at];
        let stored = samples.as_chunks::<FRAME_BYTES>().0;
        let stored = stored.get(start..).unwrap_or_default();
        for ((left, right), [a, b, c, d]) in left.iter_mut().zip(&mut right).zip(stored) {
            *left = f32::from(i16::from_le_bytes([*a, *b])) * self.header.scale;
            *right = f32::from(i16::from_le_bytes([*c, *d])) * self.header.scale;
        }
        // Both were made with one length.
        Planar::from_channels(vec![left, right]).unwrap_or_default()
    }

    /// Whether any second that the range touches holds sound (RMS above -60 dBFS).
    #[must_use]
    pub fn is_audible(&self, start: usize, frames: usize) -> bool {
        let second = self.header.rate_hz as usize;
        let seconds = &self.file[self.seconds_at..];
        let range = start / second..(start + frames).div_ceil(second).min(seconds.len());
        let touched = seconds.get(range);
        touched.is_some_and(|seconds| seconds.iter().any(|&audible| audible != 0))
    }
}
