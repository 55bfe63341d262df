//! Lengths that are guesses, joined files and files that were cut off: FLAC and Ogg, whose bytes the tests
//! make or take apart themselves.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use bunri_stream::files::{Damage, FileError, FileReader};
use bunri_stream::{Encoding, FileWriter, Planar};

const FRAMES: usize = 50_000;
/// Of the decoder's rounding.
const TOLERANCE: f32 = 1e-4;

fn tone(frames: usize) -> Planar {
    let wave = |frame: usize| (frame as f32 * 0.031).sin() * 0.5 + (frame as f32 * 0.7).sin() * 0.1;
    let left: Vec<f32> = (0..frames).map(wave).collect();
    let right = left.iter().map(|sample| -sample).collect();
    Planar::from_channels(vec![left, right]).unwrap()
}

fn flac() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tone.flac");
    let mut writer = FileWriter::create(&path, 44_100, 2, Encoding::Flac16).unwrap();
    writer.write(&tone(FRAMES)).unwrap();
    writer.finish().unwrap();
    fs::read(&path).unwrap()
}

/// The same with another count of frames in its header: 36 bits at the end of byte 21 and in 22 to 25.
fn with_count(mut flac: Vec<u8>, count: u64) -> Vec<u8> {
    flac[21] = flac[21] & 0xF0 | (count >> 32) as u8;
    flac[22..26].copy_from_slice(&(count as u32).to_be_bytes());
    flac
}

struct Heard {
    audio: Planar,
    damage: Damage,
    notes: Vec<String>,
}

fn hear(path: &Path) -> Heard {
    let mut reader = FileReader::open(path).unwrap();
    let mut audio = Planar::zeros(reader.channels(), 0);
    while let Some(block) = reader.read(3001).unwrap() {
        audio.append(&block);
    }
    Heard {
        audio,
        damage: reader.damage(),
        notes: reader.notes().to_vec(),
    }
}

fn hear_bytes(bytes: &[u8]) -> Heard {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song");
    fs::write(&path, bytes).unwrap();
    hear(&path)
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn is_tone(heard: &Planar) {
    let expected = tone(heard.frames());
    let pairs = heard.channel(0).iter().zip(expected.channel(0));
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < TOLERANCE, "{worst}");
}

/// Guards against frames lost before a tag, which the last frame's checksum does not cover.
#[test]
fn what_follows_a_flac_costs_no_frame() {
    let id3v1 = [&b"TAG"[..], &[0; 125]].concat();
    let ape = [
        &b"some items"[..],
        b"APETAGEX\xD0\x07\0\0\x2A\0\0\0\x01\0\0\0\0\0\0\0",
        &[0; 8],
    ]
    .concat();
    let id3v2 = b"ID3\x03\0\0\0\0\0\x05hello".to_vec();
    let noise: Vec<u8> = (0..5000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for rest in [
        id3v1.clone(),
        ape.clone(),
        [ape, id3v1].concat(),
        id3v2,
        vec![0; 700],
        noise,
    ] {
        let heard = hear_bytes(&[flac(), rest].concat());
        assert_eq!(
            (heard.audio.frames(), heard.damage),
            (FRAMES, Damage::default())
        );
        is_tone(&heard.audio);
    }
}

#[test]
fn tags_in_front_of_a_flac_are_passed() {
    let heard = hear_bytes(&[b"ID3\x03\0\0\0\0\0\x05hello".to_vec(), flac()].concat());
    assert_eq!(
        (heard.audio.frames(), heard.damage),
        (FRAMES, Damage::default())
    );
}

/// Guards against the header's count as the end of the file, and as an accusation.
#[test]
fn a_count_in_a_flac_header_neither_cuts_nor_accuses() {
    for count in [0, 100, FRAMES as u64 * 2, (1 << 36) - 1] {
        let heard = hear_bytes(&with_count(flac(), count));
        assert_eq!(
            (heard.audio.frames(), heard.damage),
            (FRAMES, Damage::default()),
            "{count}"
        );
        assert_eq!(
            heard.notes.len(),
            usize::from(count > FRAMES as u64),
            "{:?}",
            heard.notes
        );
    }
}

#[test]
fn joined_flacs_are_read_to_the_end() {
    let heard = hear_bytes(&[flac(), flac(), flac()].concat());
    assert_eq!(
        (heard.audio.frames(), heard.damage),
        (3 * FRAMES, Damage::default())
    );
    is_tone(&heard.audio.slice(2 * FRAMES, FRAMES));
    let first = with_count(flac(), 0);
    assert_eq!(
        hear_bytes(&[first, flac()].concat()).audio.frames(),
        2 * FRAMES
    );
}

/// A file that ends within a frame, or in the zeros of a download, is cut off; the count says by how much.
#[test]
fn a_flac_cut_off_is_said_to_be() {
    let whole = flac();
    let half = whole[..whole.len() / 2].to_vec();
    let mut zeros = half.clone();
    zeros.resize(whole.len(), 0);
    for bytes in [half, zeros, whole[..whole.len() - 5].to_vec()] {
        let heard = hear_bytes(&bytes);
        let missing = (FRAMES - heard.audio.frames()) as u64;
        assert!(missing > 0);
        assert_eq!(heard.damage.missing_frames, missing);
        is_tone(&heard.audio);
    }
    // Without a count nobody knows how much.
    let unknown = with_count(flac(), 0);
    let heard = hear_bytes(&unknown[..unknown.len() / 2]);
    assert!(heard.damage.cut_off && heard.damage.missing_frames == 0);
    assert!(heard.damage.warnings(44_100)[0].contains("cut off"));
}

#[test]
fn damage_within_a_flac_is_silence_of_the_same_length() {
    let mut bytes = flac();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 100].fill(0x55);
    let heard = hear_bytes(&bytes);
    assert_eq!(heard.audio.frames(), FRAMES);
    assert!(heard.damage.skipped_packets > 0 && heard.damage.missing_frames == 0);
    is_tone(&heard.audio.slice(0, 8000));
    let expected = tone(FRAMES).slice(FRAMES - 8000, 8000);
    let end = heard.audio.slice(FRAMES - 8000, 8000);
    let pairs = end.channel(0).iter().zip(expected.channel(0));
    assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < TOLERANCE);
}

/// The places where the pages of an Ogg file begin.
fn pages(ogg: &[u8]) -> Vec<usize> {
    let mut places = vec![0];
    loop {
        let page = &ogg[*places.last().unwrap()..];
        let segments = usize::from(page[26]);
        let body: usize = page[27..27 + segments]
            .iter()
            .map(|&bytes| usize::from(bytes))
            .sum();
        let next = places.last().unwrap() + 27 + segments + body;
        if next == ogg.len() {
            return places;
        }
        places.push(next);
    }
}

/// Guards against half an Ogg file that is taken for a whole one: only its last page has the end flag.
#[test]
fn an_ogg_without_its_last_page_is_cut_off() {
    let ogg = fs::read(golden("tone.ogg")).unwrap();
    let whole = hear_bytes(&ogg);
    assert_eq!(
        (whole.audio.frames(), whole.damage),
        (44_100, Damage::default())
    );
    let places = pages(&ogg);
    let last = *places.last().unwrap();
    for end in [last, last + 60, ogg.len() - 10] {
        let heard = hear_bytes(&ogg[..end]);
        assert!(
            (1..44_100).contains(&heard.audio.frames()),
            "{}",
            heard.audio.frames()
        );
        assert!(heard.damage.cut_off, "{:?}", heard.damage);
    }
}

#[test]
fn chained_oggs_are_read_to_the_end() {
    let ogg = fs::read(golden("tone.ogg")).unwrap();
    let heard = hear_bytes(&[&ogg[..], &ogg].concat());
    assert_eq!(
        (heard.audio.frames(), heard.damage),
        (88_200, Damage::default())
    );
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mkfifo program");
        return;
    }
    let error = FileReader::open(&path).err().unwrap();
    assert!(matches!(error, FileError::NamedPipe { .. }), "{error}");
}

#[test]
fn what_is_no_song_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.mp3");
    fs::write(
        &path,
        "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n",
    )
    .unwrap();
    let error = FileReader::open(&path).err().unwrap().to_string();
    assert!(
        error.contains("Git LFS") && error.contains("git lfs pull"),
        "{error}"
    );
}
