//! Tags around a recording: ID3v2 in front of it, ID3v1, Lyrics3 and APE behind it.
//!
//! A decoder that is given the tags behind a file takes them for sound: pictures in them hold sync words,
//! and the last frame of a FLAC file would not end where its checksum is.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::section::bytes_at;

/// What is left of a file without the tags around it.
pub(super) fn without_tags(file: &mut File, length: u64) -> io::Result<Range<u64>> {
    let mut range = 0..length;
    while let Some(bytes) = leading(file, range.clone())? {
        range.start += bytes;
    }
    while let Some(bytes) = trailing(file, range.clone())? {
        range.end -= bytes;
    }
    Ok(range)
}

/// Length of an ID3v2 tag at the start.
fn leading(file: &mut File, within: Range<u64>) -> io::Result<Option<u64>> {
    let header = bytes_at(file, within.start, 10)?;
    Ok(id3v2_bytes(&header).filter(|&bytes| bytes < within.end - within.start))
}

fn id3v2_bytes(header: &[u8]) -> Option<u64> {
    const HEADER_BYTES: u64 = 10;
    const HAS_FOOTER: u8 = 0x10;
    let [b'I' | b'3', b'D', b'3' | b'I', 2..=4, _, flags, size @ ..] = header else {
        return None;
    };
    let size: [u8; 4] = size.try_into().ok()?;
    if size.iter().any(|byte| byte & 0x80 != 0) {
        return None;
    }
    let body = size
        .iter()
        .fold(0, |body, &byte| body << 7 | u64::from(byte));
    let footer = u64::from(flags & HAS_FOOTER != 0) * HEADER_BYTES;
    Some(HEADER_BYTES + body + footer)
}

/// Length of a tag at the end.
fn trailing(file: &mut File, within: Range<u64>) -> io::Result<Option<u64>> {
    const ID3V1_BYTES: u64 = 128;
    const APE_FOOTER_BYTES: u64 = 32;
    const LYRICS_END_BYTES: u64 = 15;
    let length = within.end - within.start;
    let tail = |file: &mut File, bytes: u64| match length.checked_sub(bytes) {
        Some(at) => bytes_at(file, within.start + at, bytes),
        None => Ok(Vec::new()),
    };
    let bytes = if tail(file, ID3V1_BYTES)?.starts_with(b"TAG") {
        Some(ID3V1_BYTES)
    } else if let footer = tail(file, APE_FOOTER_BYTES)?
        && footer.starts_with(b"APETAGEX")
    {
        // Items and footer; flags whose highest bit is set say that there is a header as well.
        let size = u32::from_le_bytes([footer[12], footer[13], footer[14], footer[15]]);
        let header = u64::from(footer[23] & 0x80 != 0) * APE_FOOTER_BYTES;
        Some(u64::from(size) + header)
    } else if let end = tail(file, LYRICS_END_BYTES)?
        && end.ends_with(b"LYRICS200")
    {
        let digits = str::from_utf8(&end[..6]).ok();
        digits
            .and_then(|digits| digits.parse::<u64>().ok())
            .map(|bytes| bytes + LYRICS_END_BYTES)
    } else {
        let footer = tail(file, 10)?;
        footer
            .starts_with(b"3DI")
            .then(|| id3v2_bytes(&footer))
            .flatten()
    };
    Ok(bytes.filter(|&bytes| bytes < length))
}
