//! Where the sound begins and ends, whatever the sizes in the header say.

use std::fs::File;
use std::io;
use std::ops::{Range, RangeInclusive};

use super::chunks::{Chunk, Family};

/// The sound within the file.
pub(super) struct Extent {
    pub(super) data: Range<u64>,
    /// Its size as the header says it; `None` where that is a guess of the writer.
    pub(super) told_bytes: Option<u64>,
    /// Whether the file ends before the sound should.
    pub(super) cut: bool,
    pub(super) note: Option<String>,
}

/// What programs write that do not know the length yet: ffmpeg 2^32 - 1, sox a little less than 2^31,
/// others a little less than 2^32, all of them with or without the size of the header.
const UNKNOWN_BYTES: [RangeInclusive<u64>; 2] =
    [0x7FFF_0000..=0x8000_FFFF, 0xFFFF_0000..=0xFFFF_FFFF];

/// Writers that count the header in, or forget a part of it, are wrong by no more than this; a copy that
/// was broken off lacks more.
const MISCOUNT_BYTES: u64 = 128;

pub(super) fn of(
    file: &mut File,
    family: Family,
    chunk: &Chunk,
    wide_size: Option<u64>,
    end: u64,
) -> io::Result<Extent> {
    let start = chunk.body;
    let room = end.saturating_sub(start);
    let is_wide = matches!(family, Family::Wave64 | Family::Caf);
    // RF64 keeps the size elsewhere where it does not fit.
    let told = match wide_size {
        Some(size) if chunk.bytes == u64::from(u32::MAX) => size,
        _ => chunk.bytes,
    };
    let extent = |bytes: u64, told_bytes: Option<u64>| Extent {
        data: start..start + bytes,
        told_bytes,
        cut: told_bytes.is_some_and(|told| told > bytes),
        note: None,
    };
    if told > room {
        let is_unknown = !is_wide && UNKNOWN_BYTES.iter().any(|range| range.contains(&told));
        let is_trusted = !is_unknown && told - room > MISCOUNT_BYTES && told < 1 << 62;
        return Ok(extent(room, is_trusted.then_some(told)));
    }
    let sized = |bytes| Chunk { bytes, ..*chunk };
    let Rest { is_chunks, other } = rest(file, family, &sized(told), end)?;
    if told == 0 && !is_chunks {
        return Ok(extent(room, None));
    }
    // A size of 32 bits in a file of more than 4 GiB begins at 0 again and again.
    const WRAP: u64 = 1 << 32;
    if !is_wide && wide_size.is_none() && !is_chunks && room - told >= WRAP {
        let wrapped = sized(told + (room - told) / WRAP * WRAP);
        let fits = rest(file, family, &wrapped, end)?.is_chunks;
        return Ok(extent(if fits { wrapped.bytes } else { room }, None));
    }
    let mut extent = extent(told, Some(told));
    let left = room - told;
    extent.note = if other {
        Some(format!(
            "another recording follows in the same file ({left} bytes); it is not read: split the \
             file to get it"
        ))
    } else if !is_chunks {
        Some(format!(
            "the file goes on for {left} bytes behind the end that its header gives; they are not \
             read"
        ))
    } else {
        None
    };
    Ok(extent)
}

/// What stands behind the sound.
struct Rest {
    /// Whether it is a row of chunks, or next to nothing.
    is_chunks: bool,
    /// Whether one of them is a whole file.
    other: bool,
}

fn rest(file: &mut File, family: Family, chunk: &Chunk, end: u64) -> io::Result<Rest> {
    /// Padding of careless writers.
    const NOTHING_BYTES: u64 = 8;
    let mut at = chunk.next(file, family, end)?;
    let mut other = false;
    // As many as real files have; each has a header at least.
    for _ in 0..1000 {
        let Some(next) = Chunk::read(file, family, at, end)? else {
            break;
        };
        other |= matches!(
            &next.name,
            b"RIFF" | b"RIFX" | b"RF64" | b"riff" | b"FORM" | b"caff"
        );
        let after = next.next(file, family, end)?;
        if after > end + 1 {
            break;
        }
        at = after;
    }
    Ok(Rest {
        is_chunks: end.saturating_sub(at) <= NOTHING_BYTES,
        other,
    })
}
