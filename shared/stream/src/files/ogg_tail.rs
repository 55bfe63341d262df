//! How an Ogg file ends (RFC 3533, section 6): its last page says that it is the last.

use std::fs::File;
use std::io;
use std::ops::Range;

use symphonia::core::checksum::Crc32;
use symphonia::core::io::Monitor as _;

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
        let bytes = bytes_at(file, at, end - at)?;
        let found = (0..bytes.len())
            .rev()
            .find_map(|place| Some((place, page_bytes(&bytes[place..])?)));
        if let Some((place, length)) = found {
            return Ok(Some(OggEnd {
                at: at + (place + length) as u64,
                is_marked: bytes[place + 5] & 4 != 0,
            }));
        }
        if at == within.start {
            break;
        }
        // Overlapping by a page, so that none is divided.
        end -= WINDOW_BYTES / 2;
    }
    Ok(None)
}

/// Length of the page that begins here, if it is complete and as it was written.
fn page_bytes(bytes: &[u8]) -> Option<usize> {
    const HEADER_BYTES: usize = 27;
    if !bytes.starts_with(b"OggS\0") {
        return None;
    }
    let segments = usize::from(*bytes.get(26)?);
    let table = bytes.get(HEADER_BYTES..HEADER_BYTES + segments)?;
    let body: usize = table.iter().map(|&bytes| usize::from(bytes)).sum();
    let page = bytes.get(..HEADER_BYTES + segments + body)?;
    // Of the page with zeros in the place of the checksum.
    let mut checksum = Crc32::new(0);
    checksum.process_buf_bytes(&page[..22]);
    checksum.process_buf_bytes(&[0; 4]);
    checksum.process_buf_bytes(&page[26..]);
    let told = page[22..].first_chunk().copied().map(u32::from_le_bytes);
    (told == Some(checksum.crc())).then_some(page.len())
}
