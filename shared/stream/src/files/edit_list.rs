//! Which part of an mp4/m4a track is meant to be heard.
//!
//! AAC encoders put 1024 to 2112 frames of delay in front and pad the last packet; an edit list
//! (ISO/IEC 14496-12, 8.6.6) or Apple's `iTunSMPB` tag says how many. The decoding library reads
//! past both, so this module looks for itself. It reads box headers and a few bytes of the boxes
//! it needs: never the audio, and never more than a box claims to hold. [`stem_description`] finds
//! its box the same way.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::section::Patch;

/// The audible part of a track, in frames of its sample rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Audible {
    /// Decoded frames to drop first.
    pub(super) skip_frames: u64,
    /// Frames to keep after those; `None` for all.
    pub(super) frames: Option<u64>,
}

impl Audible {
    /// From the edit list of a track; `None` where there is none, or one that rearranges.
    pub(super) fn from_edit_list(path: &Path, track_id: u32, rate_hz: u32) -> Option<Self> {
        // A file that cannot be walked here has no edit list for us; the decoder says the rest.
        edit_list(&mut File::open(path).ok()?, track_id, rate_hz)
            .ok()
            .flatten()
    }

    /// From the value of Apple's tag: hexadecimal words, of which the second is the delay and the
    /// fourth the number of audible frames.
    pub(super) fn from_itunes_tag(value: &str) -> Option<Self> {
        let mut words = value
            .split_ascii_whitespace()
            .map(|word| u64::from_str_radix(word, 16));
        let skip_frames = words.nth(1)?.ok()?;
        let frames = words.nth(1)?.ok().filter(|&frames| frames > 0);
        Some(Self {
            skip_frames,
            frames,
        })
    }

    /// Cuts what is not audible from the next decoded channels.
    pub(super) fn trim(&mut self, channels: &mut [Vec<f32>]) {
        let decoded = channels.first().map_or(0, Vec::len);
        let skipped = decoded.min(usize::try_from(self.skip_frames).unwrap_or(usize::MAX));
        self.skip_frames -= skipped as u64;
        let mut kept = decoded - skipped;
        if let Some(frames) = &mut self.frames {
            kept = kept.min(usize::try_from(*frames).unwrap_or(usize::MAX));
            *frames -= kept as u64;
        }
        for channel in channels {
            channel.drain(..skipped);
            channel.truncate(kept);
        }
    }

    /// Whether the audible part is over.
    pub(super) fn is_over(&self) -> bool {
        self.frames == Some(0)
    }
}

/// What one track says about itself.
#[derive(Default)]
struct TrackBoxes {
    id: u32,
    /// Whether players choose it: a movie in several languages has one such track.
    is_enabled: bool,
    is_sound: bool,
    /// Ticks per second and length in ticks of the track's own media.
    media: Option<(u32, u64)>,
    /// Length (in ticks of the movie) and start (in ticks of the media) of its only edit.
    edit: Option<(u64, u64)>,
}

/// What an mp4 says about the stems in it (`moov/udta/stem`, JSON, in Native Instruments' stem
/// format): `None` where it is no mp4 or says nothing.
///
/// The file is taken for what it is: one that cannot be read says nothing here, and the reason when
/// it is decoded.
#[must_use]
pub fn stem_description(path: &Path) -> Option<String> {
    /// Real ones have half a kilobyte.
    const MAX_BYTES: u64 = 1 << 16;
    let mut file = File::open(path).ok()?;
    let end = file.seek(SeekFrom::End(0)).ok()?;
    let mut body = 0..end;
    for name in [*b"moov", *b"udta", *b"stem"] {
        body = find(&mut file, body, name).ok()??;
    }
    let bytes = body.end - body.start;
    if bytes > MAX_BYTES {
        return None;
    }
    file.seek(SeekFrom::Start(body.start)).ok()?;
    let mut text = vec![0; usize::try_from(bytes).ok()?];
    file.read_exact(&mut text).ok()?;
    String::from_utf8(text).ok()
}

/// The audio track of an mp4 that players choose, by its identifier: the first that is enabled.
pub(super) fn default_track_id(path: &Path) -> Option<u32> {
    let (_, tracks) = movie(&mut File::open(path).ok()?).ok().flatten()?;
    let mut sound = tracks.iter().filter(|track| track.is_sound);
    sound.find(|track| track.is_enabled).map(|track| track.id)
}

/// Whether an mp4 has its index: where it stands at the end, it is the first thing that a broken download
/// lacks, and nothing can be decoded without.
pub(super) fn has_index(file: &mut File, length: u64) -> io::Result<bool> {
    Ok(find(file, 0..length, *b"moov")?.is_some())
}

/// Whether a second mp4 follows in the same file.
pub(super) fn is_joined(file: &mut File, length: u64) -> io::Result<bool> {
    let Some(first) = find(file, 0..length, *b"ftyp")? else {
        return Ok(false);
    };
    Ok(find(file, first.end..length, *b"ftyp")?.is_some())
}

/// What makes the last box of an mp4 that was cut off end with the file, so that a reader goes through it
/// as far as it is there; `None` where nothing is cut off.
pub(super) fn shortened_last_box(file: &mut File, length: u64) -> io::Result<Option<Patch>> {
    let mut at = 0;
    while let Some((_, body)) = next_box(file, at, length)? {
        at = body.end;
    }
    // A box is longer than its header; what is left of a header alone is nothing to read.
    const LONG_HEADER_BYTES: u64 = 16;
    if length.saturating_sub(at) <= LONG_HEADER_BYTES {
        return Ok(None);
    }
    Ok(match read_u32(file, at)? {
        1 => Some(Patch {
            at: at + 8,
            bytes: (length - at).to_be_bytes().to_vec(),
        }),
        // 0: to the end.
        told if u64::from(told) > length - at => Some(Patch {
            at,
            bytes: u32::try_from(length - at)
                .unwrap_or(0)
                .to_be_bytes()
                .to_vec(),
        }),
        _ => None,
    })
}

fn edit_list(file: &mut File, track_id: u32, rate_hz: u32) -> io::Result<Option<Audible>> {
    let Some((movie_ticks_per_second, tracks)) = movie(file)? else {
        return Ok(None);
    };
    let track = tracks.iter().find(|track| track.id == track_id);
    Ok(track.and_then(|track| audible(track, movie_ticks_per_second, rate_hz)))
}

/// Ticks per second of a movie, and its tracks.
fn movie(file: &mut File) -> io::Result<Option<(u32, Vec<TrackBoxes>)>> {
    let end = file.seek(SeekFrom::End(0))?;
    let Some(movie) = find(file, 0..end, *b"moov")? else {
        return Ok(None);
    };
    let Some(header) = find(file, movie.clone(), *b"mvhd")? else {
        return Ok(None);
    };
    let movie_ticks_per_second = timescale(file, header.start)?.0;
    let mut tracks = Vec::new();
    let mut at = movie.start;
    while let Some((name, body)) = next_box(file, at, movie.end)? {
        at = body.end;
        if name == *b"trak" {
            tracks.push(read_track(file, body)?);
        }
    }
    Ok(Some((movie_ticks_per_second, tracks)))
}

fn audible(track: &TrackBoxes, movie_ticks_per_second: u32, rate_hz: u32) -> Option<Audible> {
    let (media_ticks_per_second, media_ticks) = track.media?;
    let (edit_movie_ticks, start_media_ticks) = track.edit?;
    let media = u128::from(media_ticks_per_second);
    let movie = u128::from(movie_ticks_per_second);
    if media == 0 || movie == 0 {
        return None;
    }
    let frames_of = |ticks: u64| -> Option<u64> {
        u64::try_from(u128::from(ticks) * u128::from(rate_hz) / media).ok()
    };
    let left_ticks = media_ticks.saturating_sub(start_media_ticks);
    let edit_ticks = u64::try_from(u128::from(edit_movie_ticks) * media / movie).ok()?;
    let one_movie_tick = media_ticks_per_second.div_ceil(movie_ticks_per_second);
    // Movie ticks are often milliseconds: where both ends agree within one, the media's own count
    // is the exact one. An edit of no length means: all of it (fragmented files).
    let exact = edit_ticks == 0 || edit_ticks.abs_diff(left_ticks) <= u64::from(one_movie_tick);
    let kept_ticks = if exact { left_ticks } else { edit_ticks };
    Some(Audible {
        skip_frames: frames_of(start_media_ticks)?,
        frames: frames_of(kept_ticks).filter(|&frames| frames > 0),
    })
}

fn read_track(file: &mut File, body: std::ops::Range<u64>) -> io::Result<TrackBoxes> {
    let mut track = TrackBoxes::default();
    if let Some(header) = find(file, body.clone(), *b"tkhd")? {
        let id_offset = if version(file, header.start)? == 1 {
            20
        } else {
            12
        };
        track.id = read_u32(file, header.start + id_offset)?;
        track.is_enabled = read_u32(file, header.start)? & 1 != 0;
    }
    if let Some(media) = find(file, body.clone(), *b"mdia")? {
        if let Some(header) = find(file, media.clone(), *b"mdhd")? {
            track.media = Some(timescale(file, header.start)?);
        }
        if let Some(handler) = find(file, media, *b"hdlr")? {
            track.is_sound = read_u32(file, handler.start + 8)? == u32::from_be_bytes(*b"soun");
        }
    }
    if let Some(edits) = find(file, body, *b"edts")?
        && let Some(list) = find(file, edits, *b"elst")?
    {
        track.edit = only_edit(file, list)?;
    }
    Ok(track)
}

/// Length and start of the only edit that has sound; `None` for lists that rearrange.
fn only_edit(file: &mut File, list: std::ops::Range<u64>) -> io::Result<Option<(u64, u64)>> {
    /// Lists of real recordings have one entry, or a pause and one entry.
    const MAX_ENTRIES: u32 = 4;
    let long = version(file, list.start)? == 1;
    let count = read_u32(file, list.start + 4)?;
    if count > MAX_ENTRIES {
        return Ok(None);
    }
    let mut found = None;
    for entry in 0..u64::from(count) {
        let at = list.start + 8 + entry * if long { 20 } else { 12 };
        if at >= list.end {
            break;
        }
        let (length, start) = if long {
            (read_u64(file, at)?, read_u64(file, at + 8)? as i64)
        } else {
            (
                u64::from(read_u32(file, at)?),
                i64::from(read_u32(file, at + 4)? as i32),
            )
        };
        match (u64::try_from(start), found) {
            (Ok(start), None) => found = Some((length, start)),
            (Ok(_), Some(_)) => return Ok(None),
            // A negative start is a pause.
            (Err(_), _) => {}
        }
    }
    Ok(found)
}

/// Ticks per second and length in ticks: `mvhd` and `mdhd` have them at the same place.
fn timescale(file: &mut File, at: u64) -> io::Result<(u32, u64)> {
    Ok(if version(file, at)? == 1 {
        (read_u32(file, at + 20)?, read_u64(file, at + 24)?)
    } else {
        (
            read_u32(file, at + 12)?,
            u64::from(read_u32(file, at + 16)?),
        )
    })
}

/// The body of the first box of that name within a range.
fn find(
    file: &mut File,
    within: std::ops::Range<u64>,
    wanted: [u8; 4],
) -> io::Result<Option<std::ops::Range<u64>>> {
    let mut at = within.start;
    while let Some((name, body)) = next_box(file, at, within.end)? {
        if name == wanted {
            return Ok(Some(body));
        }
        at = body.end;
    }
    Ok(None)
}

/// Name and body of the box at a place; `None` at the end, or where no sound box begins.
fn next_box(
    file: &mut File,
    at: u64,
    end: u64,
) -> io::Result<Option<([u8; 4], std::ops::Range<u64>)>> {
    if at.saturating_add(8) > end {
        return Ok(None);
    }
    let (length, name) = (read_u32(file, at)?, read_u32(file, at + 4)?.to_be_bytes());
    let (header, length) = match length {
        0 => (8, end - at),
        1 => (16, read_u64(file, at + 8)?),
        length => (8, u64::from(length)),
    };
    let body_end = at.saturating_add(length);
    Ok((length >= header && body_end <= end).then(|| (name, at + header..body_end)))
}

fn version(file: &mut File, at: u64) -> io::Result<u8> {
    Ok(read_u32(file, at)?.to_be_bytes()[0])
}

fn read_u32(file: &mut File, at: u64) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

fn read_u64(file: &mut File, at: u64) -> io::Result<u64> {
    Ok(u64::from(read_u32(file, at)?) << 32 | u64::from(read_u32(file, at + 4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apple_tag_gives_delay_and_length() {
        let tag = " 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000";
        let audible = Audible::from_itunes_tag(tag).unwrap();
        assert_eq!(
            audible,
            Audible {
                skip_frames: 0x840,
                frames: Some(0x3F31F6)
            }
        );
        assert_eq!(Audible::from_itunes_tag("nonsense"), None);
    }

    #[test]
    fn trimming_crosses_packets() {
        let mut audible = Audible {
            skip_frames: 3,
            frames: Some(3),
        };
        let mut heard = Vec::new();
        for first in [0.0, 2.0, 4.0, 6.0] {
            let mut packet = [vec![first, first + 1.0]];
            audible.trim(&mut packet);
            heard.extend_from_slice(&packet[0]);
        }
        assert_eq!(heard, [3.0, 4.0, 5.0]);
        assert!(audible.is_over());
    }

    #[test]
    fn millisecond_edits_take_the_exact_length_of_the_media() {
        // 100000 frames and 1024 of delay at 44.1 kHz, the edit told in milliseconds.
        let track = TrackBoxes {
            id: 1,
            media: Some((44_100, 101_024)),
            edit: Some((2268, 1024)),
            ..TrackBoxes::default()
        };
        let expected = Audible {
            skip_frames: 1024,
            frames: Some(100_000),
        };
        assert_eq!(audible(&track, 1000, 44_100), Some(expected));
    }
}
