//! How an Ogg file ends (RFC 3533, section 6): its last page says that it is the last.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::section::bytes_at;

/// The end of an Ogg file.
pub(super) struct OggEnd {
    /// Where its last complete page ends.
    pub(super) at: u64,
    /// Whether that page has the mark of the last one.
    pub(super) is_marked: bool,
}

/// Finds the last page; `None` where there is none.
pub(super) fn end(file: &mut File, within: Range<u64>) -> io::Result<Option<OggEnd>> {
    /// Two of the longest pages: of two that begin here, one is complete.
    const WINDOW_BYTES: u64 = 2 * (27 + 255 + 255 * 255);
    let mut end = within.end;
    // Something else may follow: a tag, or the zeros of a download that was broken off.
    while end > within.start {
        let at = end.saturating_sub(WINDOW_BYTES).max(within.start);
        let bytes = bytes_at(file, at, within.end.min(end + 4) - at)?;
        let found = (0..bytes.len()).rev().find_map(|place| {
            let length = page_bytes(&bytes[place..])?;
            (at + (place + length) as u64 <= within.end).then_some((place, length))
        });
        if let Some((place, length)) = found {
            return Ok(Some(OggEnd {
                at: at + (place + length) as u64,
                is_marked: bytes[place + 5] & 4 != 0,
            }));
        }
        end = at;
    }
    Ok(None)
}

/// Length of the page that begins here.
fn page_bytes(bytes: &[u8]) -> Option<usize> {
    const HEADER_BYTES: usize = 27;
    if !bytes.starts_with(b"OggS\0") {
        return None;
    }
    let segments = usize::from(*bytes.get(26)?);
    let table = bytes.get(HEADER_BYTES..HEADER_BYTES + segments)?;
    let body: usize = table.iter().map(|&bytes| usize::from(bytes)).sum();
    Some(HEADER_BYTES + segments + body)
}
