//! Whether an MPEG audio stream (mp1, mp2, mp3) ends where a frame ends.
//!
//! The count in a Xing, Info or VBRI frame can be wrong, and a stream has no mark at its end. A file that
//! was cut off has fewer frames than its count says, and half a frame, or none, at its end; one whose count
//! alone is wrong ends with a whole frame.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::section::bytes_at;

/// Frames in a row that are taken for a stream and not for chance.
const SURE_FRAMES: usize = 3;

/// Whether the last bytes of a stream are a whole frame. Where no frames are found near the end, they are
/// not.
pub(super) fn ends_with_a_frame(file: &mut File, stream: Range<u64>) -> io::Result<bool> {
    /// More than ten of the longest frames.
    const WINDOW_BYTES: u64 = 1 << 15;
    let at = stream.end.saturating_sub(WINDOW_BYTES).max(stream.start);
    let bytes = bytes_at(file, at, stream.end - at)?;
    Ok((0..bytes.len()).any(|start| {
        let (frames, rest) = follow(&bytes[start..]);
        frames >= SURE_FRAMES && rest == 0
    }))
}

/// Whether a stream begins with a frame that says how many follow.
pub(super) fn has_a_count(file: &mut File, stream: Range<u64>) -> io::Result<bool> {
    let head = bytes_at(file, stream.start, 4096)?;
    Ok(head
        .windows(4)
        .any(|four| matches!(four, b"Xing" | b"Info" | b"VBRI")))
}

/// How many frames follow one another, and how many bytes are left then.
fn follow(mut bytes: &[u8]) -> (usize, usize) {
    let mut frames = 0;
    while let Some(length) = frame_bytes(bytes)
        && let Some(rest) = bytes.get(length..)
    {
        bytes = rest;
        frames += 1;
    }
    (frames, bytes.len())
}

/// Length of the frame that begins here (ISO/IEC 11172-3, 2.4.2.3; ISO/IEC 13818-3 for low rates).
fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    const MPEG1: u8 = 3;
    const RESERVED: u8 = 1;
    let [0xFF, second, third, _] = *bytes.first_chunk()? else {
        return None;
    };
    let (version, layer) = (second >> 3 & 3, 4 - (second >> 1 & 3));
    if second & 0xE0 != 0xE0 || version == RESERVED || layer == 4 {
        return None;
    }
    let rates: [usize; 15] = match (version == MPEG1, layer) {
        (true, 1) => [
            0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
        ],
        (true, 2) => [
            0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
        ],
        (true, _) => [
            0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
        ],
        (false, 1) => [
            0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
        ],
        (false, _) => [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    };
    let bits_per_second = 1000
        * rates
            .get(usize::from(third >> 4))
            .filter(|&&rate| rate > 0)?;
    let rate_hz = [44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))?
        >> match version {
            MPEG1 => 0,
            2 => 1,
            _ => 2,
        };
    let padding = usize::from(third >> 1 & 1);
    Some(match (layer, version) {
        (1, _) => (12 * bits_per_second / rate_hz + padding) * 4,
        (3, 0 | 2) => 72 * bits_per_second / rate_hz + padding,
        _ => 144 * bits_per_second / rate_hz + padding,
    })
}
