//! Which audio track of a Matroska or WebM file players choose (RFC 9559, section 5.1.4).
//!
//! The decoding library takes a track without the flag for one that is not the default; the format says
//! the opposite, and writers leave out the flag of the default track.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::section::bytes_at;

/// The number of the first audio track that is a default one.
pub(super) fn default_track_number(path: &Path) -> Option<u32> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    default_number(&mut file, length).ok().flatten()
}

fn default_number(file: &mut File, length: u64) -> io::Result<Option<u32>> {
    const SEGMENT: u32 = 0x1853_8067;
    const TRACKS: u32 = 0x1654_AE6B;
    const TRACK: u32 = 0xAE;
    let Some(segment) = find(file, 0..length, SEGMENT)? else {
        return Ok(None);
    };
    let Some(tracks) = find(file, segment, TRACKS)? else {
        return Ok(None);
    };
    let mut at = tracks.start;
    while let Some((id, body)) = element(file, at, tracks.end)? {
        at = body.end;
        if id == TRACK
            && let Some(number) = default_sound(file, body)?
        {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// The number of a track that has sound and is a default one.
fn default_sound(file: &mut File, track: Range<u64>) -> io::Result<Option<u32>> {
    const NUMBER: u32 = 0xD7;
    const TYPE: u32 = 0x83;
    const FLAG_DEFAULT: u32 = 0x88;
    const SOUND: u32 = 2;
    let mut value = |id, absent| -> io::Result<u32> {
        let Some(body) = find(file, track.clone(), id)? else {
            return Ok(absent);
        };
        let bytes = bytes_at(file, body.start, (body.end - body.start).min(4))?;
        Ok(bytes
            .iter()
            .fold(0, |all, &byte| all << 8 | u32::from(byte)))
    };
    let is_chosen = value(TYPE, 0)? == SOUND && value(FLAG_DEFAULT, 1)? != 0;
    let number = value(NUMBER, 0)?;
    Ok(is_chosen.then_some(number))
}

/// The body of the first element of that kind within a range.
fn find(file: &mut File, within: Range<u64>, wanted: u32) -> io::Result<Option<Range<u64>>> {
    let mut at = within.start;
    while let Some((id, body)) = element(file, at, within.end)? {
        if id == wanted {
            return Ok(Some(body));
        }
        at = body.end;
    }
    Ok(None)
}

/// Identifier and body of the element at a place; `None` at the end, or where none begins.
fn element(file: &mut File, at: u64, end: u64) -> io::Result<Option<(u32, Range<u64>)>> {
    if at >= end {
        return Ok(None);
    }
    let head = bytes_at(file, at, 12)?;
    let length_of = |place: usize| {
        head.get(place)
            .map(|byte| byte.leading_zeros() as usize + 1)
    };
    let Some(id_bytes @ 1..=4) = length_of(0) else {
        return Ok(None);
    };
    let Some(size_bytes @ 1..=8) = length_of(id_bytes) else {
        return Ok(None);
    };
    let Some(size) = head.get(id_bytes..id_bytes + size_bytes) else {
        return Ok(None);
    };
    let join = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all, &byte| all << 8 | u64::from(byte))
    };
    let unknown = u64::MAX >> (64 - 7 * size_bytes);
    let size = join(size) & unknown;
    let start = at + (id_bytes + size_bytes) as u64;
    let body_end = match size == unknown {
        true => end,
        // A segment that was cut off is there as far as it goes.
        false => start.saturating_add(size).min(end),
    };
    let id = u32::try_from(join(&head[..id_bytes])).unwrap_or(0);
    Ok(Some((id, start..body_end)))
}
