//! Files of chunks (IFF): WAV and its relatives RF64, BW64, Wave64 and RIFX, AIFF and CAF, as they are and not
//! as they should be.
//!
//! The decoding library takes every size and every field of these headers at its word. Real ones are
//! wrong in a few well-known ways: sizes of 0 or near 2^31 or 2^32 by programs that write to a pipe or
//! were stopped, sizes that wrapped beyond 4 GiB, a few bytes too many or too few, `fmt ` chunks of any
//! length. What the sound is follows from a few fields; where it is, from the sizes where they are
//! possible and from the file where they are not.

mod aiff;
mod caf;
mod chunks;
mod extent;
mod wave;

use std::fs::File;
use std::io;
use std::ops::Range;

use super::blocks::BlockFormat;
use super::section::bytes_at;
use chunks::{Chunk, Family};

/// A file of this family.
pub(super) struct Chunked {
    pub(super) sound: Sound,
    /// Where it is in the file.
    pub(super) data: Range<u64>,
    /// Frames that the header says, where that is more than a guess.
    pub(super) told_frames: Option<u64>,
    /// Frames in all.
    pub(super) frames: u64,
    /// Frames of those that count, where the last block is padded.
    pub(super) heard_frames: Option<u64>,
    /// Whether the header tells of more than there is, and truly so.
    pub(super) cut: bool,
    /// What a user should know.
    pub(super) note: Option<String>,
}

/// What a file of this family can hold.
pub(super) enum Sound {
    Blocks(BlockFormat),
    /// MPEG audio in a WAV file: a stream of its own.
    Mpeg,
    /// By its name.
    Unknown(String),
}

/// Reads the header; `None` where it is no file of this family, or has no sound.
pub(super) fn parse(file: &mut File, within: Range<u64>) -> io::Result<Option<Chunked>> {
    let Some((family, mut at)) = Family::of(&bytes_at(file, within.start, 40)?) else {
        return Ok(None);
    };
    at += within.start;
    let (mut format, mut sizes, mut told_frames, mut data) = (None, None, None, None);
    // Files have a dozen chunks at most; a header of nonsense must not be followed through gigabytes.
    for _ in 0..1000 {
        let Some(chunk) = Chunk::read(file, family, at, within.end)? else {
            break;
        };
        let head = bytes_at(file, chunk.body, chunk.bytes.min(64))?;
        let next = chunk.next(file, family, within.end)?;
        match &chunk.name {
            b"fmt " => format = Some(wave::sound(&head, family)),
            b"COMM" => format = Some(aiff::sound(&head)),
            b"ds64" => sizes = head.get(8..16).and_then(|size| size.try_into().ok()),
            b"fact" => told_frames = head.get(..4).map(|count| family.u32(count)),
            b"desc" if family == Family::Caf => format = Some(caf::sound(&head)),
            b"data" if family == Family::Caf => data = Some(caf::data(&chunk)),
            b"data" => data = Some(chunk),
            b"SSND" => data = Some(aiff::data(&chunk, &head)),
            _ => {}
        }
        if data.is_some() && format.is_some() {
            break;
        }
        at = next;
    }
    let (Some(sound), Some(data)) = (format, data) else {
        return Ok(None);
    };
    let wide_size = sizes.map(u64::from_le_bytes);
    let extent = extent::of(file, family, &data, wide_size, within.end)?;
    let (block_bytes, frames_per_block) = match &sound {
        Sound::Blocks(blocks) => (blocks.block_bytes as u64, blocks.frames_per_block),
        _ => (1, 0),
    };
    let by_size = extent
        .told_bytes
        .map(|bytes| bytes / block_bytes * frames_per_block);
    // The last block of ADPCM is padded, and `fact` says how much of it counts.
    let heard_frames = told_frames.map(u64::from).filter(|&heard| {
        by_size.is_some_and(|most| heard <= most && most - heard < frames_per_block)
    });
    Ok(Some(Chunked {
        told_frames: heard_frames.or(by_size).filter(|&frames| frames > 0),
        frames: (extent.data.end - extent.data.start) / block_bytes * frames_per_block,
        heard_frames,
        sound,
        data: extent.data,
        cut: extent.cut,
        note: extent.note,
    }))
}
