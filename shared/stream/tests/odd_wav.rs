//! WAV, AIFF and their relatives with headers as real programs write them: every frame is read, no more,
//! and only a file that lacks sound is called cut off.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use bunri_stream::files::{Damage, FileReader};

const FRAMES: u64 = 5000;
const CHANNELS: u16 = 2;
const RATE_HZ: u32 = 44_100;

/// What a reader made of a file.
#[derive(Debug, PartialEq)]
struct Heard {
    frames: u64,
    /// The first channel's 101st sample, times 2^15.
    sample: f32,
    damage: Damage,
    notes: Vec<String>,
}

fn hear(path: &Path) -> Heard {
    let mut reader = FileReader::open(path).unwrap();
    assert_eq!(
        (reader.rate_hz(), reader.channels()),
        (RATE_HZ, CHANNELS.into())
    );
    let (mut frames, mut sample) = (0, 0.0);
    while let Some(block) = reader.read(997).unwrap() {
        if frames == 0 {
            sample = block.channel(0)[100] * 32_768.0;
        }
        frames += block.frames() as u64;
    }
    Heard {
        frames,
        sample,
        damage: reader.damage(),
        notes: reader.notes().to_vec(),
    }
}

fn hear_bytes(bytes: &[u8]) -> Heard {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.wav");
    fs::write(&path, bytes).unwrap();
    hear(&path)
}

fn is_whole(name: &str, heard: &Heard) {
    assert_eq!(heard.frames, FRAMES, "{name}: {heard:?}");
    assert!(heard.damage.is_none(), "{name}: {heard:?}");
    assert!(
        (heard.sample - sample(100)).abs() < 300.0,
        "{name}: {heard:?}"
    );
}

/// A ramp on the left: frame 100 is 700.
fn sample(frame: u64) -> f32 {
    (frame as f32 * 7.0) % 16_000.0
}

/// Little-endian integers of 16 bits, both channels.
fn sound() -> Vec<u8> {
    let pair = |frame| [sample(frame) as i16, -1000_i16];
    (0..FRAMES)
        .flat_map(pair)
        .flat_map(i16::to_le_bytes)
        .collect()
}

/// The first 16 bytes of a `fmt ` chunk.
fn format(tag: u16, bits: u16, block_align: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(tag.to_le_bytes());
    bytes.extend(CHANNELS.to_le_bytes());
    bytes.extend(RATE_HZ.to_le_bytes());
    bytes.extend((RATE_HZ * u32::from(block_align)).to_le_bytes());
    bytes.extend(block_align.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes
}

fn pcm16() -> Vec<u8> {
    format(1, 16, 4)
}

/// A `fmt ` chunk of the extensible kind, whose sound is of kind `tag`.
fn extensible(tag: u16, bits: u16, valid_bits: u16, block_align: u16) -> Vec<u8> {
    let mut bytes = format(0xFFFE, bits, block_align);
    bytes.extend(22_u16.to_le_bytes());
    bytes.extend(valid_bits.to_le_bytes());
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(tag.to_le_bytes());
    bytes.extend(*b"\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71");
    bytes
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    chunk_of_size(name, body, body.len() as u32)
}

fn chunk_of_size(name: &[u8; 4], body: &[u8], size: u32) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend(size.to_le_bytes());
    bytes.extend(body);
    bytes
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    riff_of_size(chunks, body.len() as u32 + 4)
}

fn riff_of_size(chunks: &[Vec<u8>], size: u32) -> Vec<u8> {
    [&b"RIFF"[..], &size.to_le_bytes(), b"WAVE", &chunks.concat()].concat()
}

fn data() -> Vec<u8> {
    chunk(b"data", &sound())
}

/// Guards against a reader that takes every size and field of a header at its word: ffmpeg and libsndfile
/// read all of these.
#[test]
fn odd_headers_are_read_whole() {
    let fmt = |body: &[u8]| chunk(b"fmt ", body);
    let longer = |extra: &[u8]| fmt(&[&pcm16(), extra].concat());
    let with_size = |size: u32| riff_of_size(&[fmt(&pcm16()), data()], size);
    let sized = |size: u32| riff(&[fmt(&pcm16()), chunk_of_size(b"data", &sound(), size)]);
    let between = |name: &[u8; 4], body: &[u8]| riff(&[fmt(&pcm16()), chunk(name, body), data()]);
    let in_front = |name: &[u8; 4], body: &[u8]| riff(&[chunk(name, body), fmt(&pcm16()), data()]);
    let bytes = sound().len() as u32;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("RIFF size 0", with_size(0)),
        ("RIFF size 8 short", with_size(bytes + 36 - 8)),
        ("RIFF size 1000 too long", with_size(bytes + 1036)),
        ("RIFF size of a stream", with_size(u32::MAX)),
        ("data 2 too long", sized(bytes + 2)),
        ("data counts the header", sized(bytes + 44)),
        ("data size 0", sized(0)),
        ("data size 2^32 - 1", sized(u32::MAX)),
        ("data size 2^31 - 1", sized(i32::MAX as u32)),
        ("data size of sox in a pipe", sized(0x7FFF_FFFF - 36)),
        ("data size of a stopped recorder", sized(0xFFFF_FFFF - 44)),
        ("fmt of 18 bytes", longer(&[0, 0]).with(data())),
        ("fmt of 20 bytes", longer(&[2, 0, 0, 0]).with(data())),
        ("fmt of 28 bytes", longer(&[0; 12]).with(data())),
        (
            "fmt of 17 bytes, padded",
            longer(&[0]).with_padding().with(data()),
        ),
        ("extensible", fmt(&extensible(1, 16, 16, 4)).with(data())),
        (
            "extensible, 0 valid bits",
            fmt(&extensible(1, 16, 0, 4)).with(data()),
        ),
        (
            "extensible, 24 valid of 16",
            fmt(&extensible(1, 16, 24, 4)).with(data()),
        ),
        ("12 bits in 16", fmt(&format(1, 12, 4)).with(data())),
        ("0 bits in blocks of 4", fmt(&format(1, 0, 4)).with(data())),
        (
            "16 bits in blocks of 0",
            fmt(&format(1, 16, 0)).with(data()),
        ),
        ("fact of 12 bytes", between(b"fact", &[1; 12])),
        ("JUNK in front", in_front(b"JUNK", &[0; 28])),
        ("bext in front", in_front(b"bext", &[0; 602])),
        ("an odd chunk, padded", between(b"LIST", b"INFOx\0")),
        (
            "an odd chunk without padding",
            riff(&[fmt(&pcm16()), chunk(b"note", b"odd"), data()]),
        ),
        (
            "tags behind",
            riff(&[fmt(&pcm16()), data(), chunk(b"LIST", b"INFO")]),
        ),
        ("padding behind", riff(&[fmt(&pcm16()), data(), vec![0; 4]])),
        ("fmt behind data", riff(&[data(), fmt(&pcm16())])),
        (
            "an ID3 tag in front",
            [
                b"ID3\x03\0\0\0\0\0\x05hello",
                &riff(&[fmt(&pcm16()), data()])[..],
            ]
            .concat(),
        ),
    ];
    for (name, bytes) in cases {
        let bytes = if bytes.starts_with(b"fmt ") {
            riff(&[bytes])
        } else {
            bytes
        };
        let heard = hear_bytes(&bytes);
        is_whole(name, &heard);
        assert!(heard.notes.is_empty(), "{name}: {heard:?}");
    }
}

/// Bytes that can be continued.
trait Continued {
    fn with(self, more: Vec<u8>) -> Vec<u8>;
    fn with_padding(self) -> Vec<u8>;
}

impl Continued for Vec<u8> {
    fn with(mut self, more: Vec<u8>) -> Vec<u8> {
        self.extend(more);
        self
    }

    fn with_padding(self) -> Vec<u8> {
        self.with(vec![0])
    }
}

#[test]
fn every_coding_is_read() {
    let ramp =
        |scale: f64| (0..FRAMES).flat_map(move |frame| [f64::from(sample(frame)) * scale, 0.0]);
    let full = 32_768.0;
    let u8s: Vec<u8> = ramp(1.0 / 256.0)
        .map(|value| (value + 128.0) as u8)
        .collect();
    let s24: Vec<u8> = ramp(256.0)
        .flat_map(|value| (value as i32).to_le_bytes()[..3].to_vec())
        .collect();
    let s24_in_32: Vec<u8> = ramp(65_536.0)
        .flat_map(|value| (value as i32).to_le_bytes())
        .collect();
    let f32s: Vec<u8> = ramp(1.0 / full)
        .flat_map(|value| (value as f32).to_le_bytes())
        .collect();
    let f64s: Vec<u8> = ramp(1.0 / full).flat_map(f64::to_le_bytes).collect();
    let with_extension = |tag, bits, align| [format(tag, bits, align), vec![2, 0, 0, 0]].concat();
    let cases = [
        ("8 bits", format(1, 8, 2), u8s),
        ("24 bits", format(1, 24, 6), s24),
        ("24 bits in 32", format(1, 24, 8), s24_in_32.clone()),
        (
            "extensible, 24 bits in 32",
            extensible(1, 32, 24, 8),
            s24_in_32,
        ),
        ("float", format(3, 32, 8), f32s.clone()),
        (
            "float with an extension of 2 bytes",
            with_extension(3, 32, 8),
            f32s.clone(),
        ),
        (
            "extensible float, 0 valid bits",
            extensible(3, 32, 0, 8),
            f32s,
        ),
        ("double", format(3, 64, 16), f64s),
    ];
    for (name, fmt, sound) in cases {
        let heard = hear_bytes(&riff(&[chunk(b"fmt ", &fmt), chunk(b"data", &sound)]));
        is_whole(name, &heard);
    }
    // Silence of both laws: 0xD5 and 0xFF.
    for (tag, silence) in [(6, 0xD5), (7, 0xFF)] {
        let sound = vec![silence; FRAMES as usize * 2];
        // Without the extension that the specification asks for.
        let heard = hear_bytes(&riff(&[
            chunk(b"fmt ", &format(tag, 8, 2)),
            chunk(b"data", &sound),
        ]));
        assert_eq!((heard.frames, heard.damage), (FRAMES, Damage::default()));
        assert!(heard.sample.abs() <= 8.0, "{heard:?}");
    }
}

#[test]
fn larger_relatives_of_wav_are_read() {
    let bytes = sound().len() as u64;
    let ds64 = |data_bytes: u64| {
        let sizes = [bytes + 72, data_bytes, FRAMES]
            .map(u64::to_le_bytes)
            .concat();
        chunk(b"ds64", &[&sizes[..], &[0; 4]].concat())
    };
    for (mark, told) in [(b"RF64", bytes), (b"BW64", bytes), (b"RF64", 0)] {
        let chunks = [
            ds64(told),
            chunk(b"fmt ", &pcm16()),
            chunk_of_size(b"data", &sound(), u32::MAX),
        ];
        let mut file = riff_of_size(&chunks, u32::MAX);
        file[..4].copy_from_slice(mark);
        is_whole("RF64", &hear_bytes(&file));
    }

    let wave64 = |name: &[u8; 4], rest: &[u8; 12], body: &[u8]| {
        let mut chunk = [
            &name[..],
            rest,
            &(body.len() as u64 + 24).to_le_bytes(),
            body,
        ]
        .concat();
        chunk.resize(chunk.len().next_multiple_of(8), 0);
        chunk
    };
    let guid = b"\xF3\xAC\xD3\x11\x8C\xD1\0\xC0\x4F\x8E\xDB\x8A";
    let chunks = [
        wave64(b"fmt ", guid, &[&pcm16()[..], &[0; 2]].concat()),
        wave64(b"data", guid, &sound()),
    ];
    let body = [&b"wave"[..], guid, &chunks.concat()].concat();
    let file = wave64(
        b"riff",
        b"\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\0\0",
        &body,
    );
    is_whole("Wave64", &hear_bytes(&file));
}

#[test]
fn aiff_with_odd_sizes_is_read() {
    let big_endian: Vec<u8> = sound()
        .chunks(2)
        .flat_map(|pair| [pair[1], pair[0]])
        .collect();
    let chunk =
        |name: &[u8; 4], body: &[u8], size: u32| [&name[..], &size.to_be_bytes(), body].concat();
    let common = |compression: &[u8]| {
        let shape = [
            &CHANNELS.to_be_bytes()[..],
            &(FRAMES as u32).to_be_bytes(),
            &16_u16.to_be_bytes(),
        ];
        // 44100 as an 80-bit float.
        let rate = b"\x40\x0E\xAC\x44\0\0\0\0\0\0";
        [&shape.concat()[..], rate, compression].concat()
    };
    let aiff = |form: &[u8; 4], common: &[u8], sound: &[u8], size: u32| {
        let body = [
            chunk(b"COMM", common, common.len() as u32),
            chunk(b"SSND", &[&[0; 8], sound].concat(), size),
        ];
        [&b"FORM"[..], &[0; 4], form, &body.concat()].concat()
    };
    let bytes = big_endian.len() as u32 + 8;
    let cases = [
        ("plain", aiff(b"AIFF", &common(b""), &big_endian, bytes)),
        ("size 0", aiff(b"AIFF", &common(b""), &big_endian, 0)),
        (
            "size 2^32 - 1",
            aiff(b"AIFF", &common(b""), &big_endian, u32::MAX),
        ),
        ("sowt", aiff(b"AIFC", &common(b"sowt\0\0"), &sound(), bytes)),
        (
            "twos",
            aiff(b"AIFC", &common(b"twos\0\0"), &big_endian, bytes),
        ),
    ];
    for (name, file) in cases {
        is_whole(name, &hear_bytes(&file));
    }
    let whole = aiff(b"AIFF", &common(b""), &big_endian, bytes);
    let heard = hear_bytes(&whole[..whole.len() / 2]);
    assert_eq!(heard.damage.missing_frames, FRAMES - heard.frames);
    assert!(heard.frames > FRAMES / 3);
}

/// Guards against the opposite mistake: a size that is plausible and not met is a file cut off.
#[test]
fn a_wav_cut_off_says_how_much_is_missing() {
    let whole = riff(&[chunk(b"fmt ", &pcm16()), data()]);
    for kept in [whole.len() / 2, whole.len() - 400] {
        let heard = hear_bytes(&whole[..kept]);
        assert_eq!(heard.frames, (kept as u64 - 44) / 4);
        assert_eq!(heard.damage.missing_frames, FRAMES - heard.frames);
    }
}

#[test]
fn what_follows_the_sound_is_named() {
    let song = riff(&[chunk(b"fmt ", &pcm16()), data()]);
    let twice = hear_bytes(&[&song[..], &song].concat());
    is_whole("joined", &twice);
    assert!(twice.notes[0].contains("another recording"), "{twice:?}");
    let goes_on = hear_bytes(&[&song[..], &[7; 3000]].concat());
    is_whole("goes on", &goes_on);
    assert!(goes_on.notes[0].contains("3000 bytes"), "{goes_on:?}");
}

/// Guards against a recording of 6 hours of which the first minutes are read: sizes have 32 bits.
#[test]
fn a_size_that_wrapped_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    // 12 channels of floats at a high rate pass 4 GiB soon; the file is a hole but for its ends.
    let mut fmt = format(3, 32, 256);
    fmt[2..4].copy_from_slice(&64_u16.to_le_bytes());
    let bytes = (1_u64 << 32) + 25_600;
    let header = riff(&[
        chunk(b"fmt ", &fmt),
        chunk_of_size(b"data", &[], bytes as u32),
    ]);
    let mut file = File::create(&path).unwrap();
    file.write_all(&header).unwrap();
    file.seek(SeekFrom::Start(44 + bytes - 1)).unwrap();
    if file.write_all(&[0]).is_err() {
        eprintln!("skipped: no room for a sparse file of 4 GiB");
        return;
    }
    let reader = FileReader::open(&path).unwrap();
    // Its length is not the told one, so nothing is promised; a song of the told one would have 100.
    assert_eq!(
        (reader.channels(), reader.frames_hint()),
        (64, Some(bytes / 256))
    );
}
