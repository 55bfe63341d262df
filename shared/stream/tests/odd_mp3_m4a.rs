//! mp3, AAC and what only an outside program decodes: counts that are wrong, files joined and cut off, tracks
//! to choose from. The golden files come from `golden/make.sh`.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use bunri_stream::files::{Damage, Ffmpeg, FileError, FileReader};

/// Of every golden tone.
const FRAMES: u64 = 44_100;
const MP3_PACKET_FRAMES: u64 = 1152;
/// Delay of encoder and decoder, and padding, of a whole mp3.
const TRIMMED_FRAMES: u64 = 40 * MP3_PACKET_FRAMES - FRAMES;

struct Heard {
    frames: u64,
    damage: Damage,
    notes: Vec<String>,
}

fn hear(path: &Path) -> Heard {
    let mut reader = FileReader::open(path).unwrap();
    let mut frames = 0;
    while let Some(block) = reader.read(3001).unwrap() {
        frames += block.frames() as u64;
    }
    Heard {
        frames,
        damage: reader.damage(),
        notes: reader.notes().to_vec(),
    }
}

fn hear_bytes(name: &str, bytes: &[u8]) -> Heard {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    hear(&path)
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(golden(name)).unwrap()
}

fn place(bytes: &[u8], mark: &[u8]) -> usize {
    bytes
        .windows(mark.len())
        .position(|window| window == mark)
        .unwrap()
}

/// An mp3 whose Info frame counts `count` packets instead of 39.
fn mp3_with_count(count: impl Fn(u32) -> u32) -> Vec<u8> {
    let mut mp3 = bytes("tone.mp3");
    let at = place(&mp3, b"Info") + 8;
    let there = u32::from_be_bytes(mp3[at..at + 4].try_into().unwrap());
    mp3[at..at + 4].copy_from_slice(&count(there).to_be_bytes());
    mp3
}

fn is_whole(heard: &Heard, frames: std::ops::RangeInclusive<u64>) {
    assert!(frames.contains(&heard.frames), "{}", heard.frames);
    assert!(heard.damage.is_none(), "{:?}", heard.damage);
}

/// Guards against a quarter of a song lost: a length estimated from the first frames ended it.
#[test]
fn an_mp3_without_a_count_is_read_to_its_end() {
    let heard = hear(&golden("loud_then_quiet.mp3"));
    // 98 packets of 576 frames.
    is_whole(&heard, 56_448..=56_448);
    assert!(heard.notes.is_empty(), "{:?}", heard.notes);
}

#[test]
fn delay_and_padding_are_cut_where_the_file_tells_them() {
    is_whole(&hear(&golden("tone.mp3")), FRAMES..=FRAMES);
    is_whole(&hear(&golden("tone.m4a")), FRAMES..=FRAMES);
    // ADTS tells nothing: 45 packets of 1024.
    is_whole(&hear(&golden("tone.aac")), 46_080..=46_080);
}

/// Guards against whole files refused or called damaged for their header's sake.
#[test]
fn a_wrong_count_in_an_mp3_neither_cuts_nor_accuses() {
    let least = FRAMES;
    let most = FRAMES + TRIMMED_FRAMES;
    let none = hear_bytes("none.mp3", &mp3_with_count(|_| 0));
    is_whole(&none, least..=most);
    let few = hear_bytes("few.mp3", &mp3_with_count(|there| there / 3));
    is_whole(&few, least..=most);
    let many = hear_bytes("many.mp3", &mp3_with_count(|there| there * 2));
    is_whole(&many, least..=most);
    assert!(many.notes[0].contains("promises"), "{:?}", many.notes);
}

#[test]
fn joined_mp3s_are_read_to_the_end() {
    let mp3 = bytes("tone.mp3");
    let twice = hear_bytes("twice.mp3", &[&mp3[..], &mp3].concat());
    is_whole(&twice, 2 * FRAMES..=2 * (FRAMES + TRIMMED_FRAMES));
}

#[test]
fn an_mp3_cut_off_says_how_much_is_missing() {
    let mp3 = bytes("tone.mp3");
    for kept in [mp3.len() / 2, mp3.len() / 2 + 77, mp3.len() - 100] {
        let heard = hear_bytes("cut.mp3", &mp3[..kept]);
        let missing = heard.damage.missing_frames;
        assert!(
            missing > 0 && heard.frames + missing == FRAMES,
            "{kept}: {:?}",
            heard.damage
        );
    }
}

#[test]
fn tags_behind_an_mp3_are_no_sound() {
    // An APE tag that holds what looks like MPEG frames.
    let fake = [0xFF, 0xFB, 0x90, 0x44].repeat(200);
    let footer = [
        &b"APETAGEX\xD0\x07\0\0"[..],
        &832_u32.to_le_bytes(),
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[0; 8],
    ]
    .concat();
    let tagged = [
        bytes("tone.mp3"),
        fake,
        footer,
        [&b"TAG"[..], &[0; 125]].concat(),
    ]
    .concat();
    is_whole(&hear_bytes("tagged.mp3", &tagged), FRAMES..=FRAMES);
}

#[test]
fn mp3_in_wav_is_read() {
    let mp3 = bytes("tone.mp3");
    let mut fmt = Vec::new();
    for field in [0x55_u16, 1] {
        fmt.extend(field.to_le_bytes());
    }
    for field in [44_100_u32, 8000, 1, 12] {
        fmt.extend(field.to_le_bytes());
    }
    fmt.extend([0; 10]);
    let chunk =
        |name: &[u8], body: &[u8]| [name, &(body.len() as u32).to_le_bytes(), body].concat();
    let body = [b"WAVE".to_vec(), chunk(b"fmt ", &fmt), chunk(b"data", &mp3)].concat();
    let heard = hear_bytes("song.wav", &chunk(b"RIFF", &body));
    is_whole(&heard, FRAMES..=FRAMES);
}

/// Guards against 256 "damaged packets" and no sound where the last packet alone is missing.
#[test]
fn an_m4a_cut_off_gives_what_is_there() {
    let m4a = bytes("tone.m4a");
    for kept in [m4a.len() - 7, m4a.len() * 3 / 4] {
        let heard = hear_bytes("cut.m4a", &m4a[..kept]);
        assert!(heard.frames > FRAMES / 3, "{kept}: {}", heard.frames);
        assert_eq!(heard.damage.missing_frames, FRAMES - heard.frames);
        assert_eq!(heard.damage.skipped_packets, 0);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no_index.m4a");
    let other = bytes("two_tracks.m4a");
    fs::write(&path, &other[..place(&other, b"moov") - 4]).unwrap();
    let error = FileReader::open(&path).err().unwrap();
    assert!(matches!(error, FileError::NoIndex { .. }), "{error}");
}

#[test]
fn the_default_track_is_read_and_named() {
    // Matroska's default track is the one without a flag.
    for name in ["two_tracks.m4a", "two_tracks.mka"] {
        let heard = hear(&golden(name));
        is_whole(&heard, FRAMES..=FRAMES);
        assert!(
            heard.notes[0].contains("track 2 of 2"),
            "{name}: {:?}",
            heard.notes
        );
    }
    let path = golden("two_tracks.m4a");
    let first = FileReader::open_track(&path, 0).unwrap();
    assert_eq!(first.frames_hint(), Some(FRAMES / 2));
    assert_eq!(FileReader::count_tracks(&path).unwrap(), 2);
}

/// Opus needs the user's program; without one, the error names codec, container and a way out.
#[test]
fn what_no_built_in_decoder_knows_is_read_by_ffmpeg_or_named() {
    let path = golden("tone.opus");
    match FileReader::open(&path) {
        Ok(_) => {
            let heard = hear(&path);
            is_whole(&heard, 48_000..=48_000);
            assert!(heard.notes[0].contains("Opus in Ogg"), "{:?}", heard.notes);
        }
        Err(error) => {
            assert!(Ffmpeg::find().is_none(), "{error}");
            let words = error.to_string();
            assert!(
                words.contains("Opus in Ogg") && words.contains("ffmpeg -i"),
                "{words}"
            );
        }
    }
}
