//! Audio files: what is written comes back, and what is broken is named.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use bunri_stream::Planar;
use bunri_stream::files::{
    Encoding, FileError, FileReader, FileWriter, Written, read_clip, remove_unfinished, to_stereo,
};

const ENCODINGS: [Encoding; 5] = [
    Encoding::Wav16,
    Encoding::Wav24,
    Encoding::Wav32Float,
    Encoding::Flac16,
    Encoding::Flac24,
];

/// A file of the shared test audio, or `None` (with the reason printed) where it is missing.
fn test_audio(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("BUNRI_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(name);
    if !path.is_file() {
        eprintln!("skipped: no test audio at {}", path.display());
        return None;
    }
    Some(path)
}

/// Seeded noise with quiet and loud stretches, peaks within ±0.999.
fn noise(channels: usize, frames: usize) -> Planar {
    let mut state = 0x9E37_79B9_u32;
    let mut next = |frame: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let white = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
        white
            * 0.999
            * if (frame / 500).is_multiple_of(2) {
                1.0
            } else {
                0.01
            }
    };
    let channels = (0..channels)
        .map(|_| (0..frames).map(&mut next).collect())
        .collect();
    Planar::from_channels(channels).unwrap()
}

/// Writes in uneven blocks, so that no block border of a codec meets one of ours.
fn write(path: &Path, audio: &Planar, rate_hz: u32, encoding: Encoding) -> Written {
    let mut writer = FileWriter::create(path, rate_hz, audio.channel_count(), encoding).unwrap();
    let mut start = 0;
    for block_frames in [1, 63, 1000, 4096, 0, 5000].into_iter().cycle() {
        let frames = block_frames.min(audio.frames() - start);
        writer.write(&audio.slice(start, frames)).unwrap();
        start += frames;
        if start == audio.frames() {
            return writer.finish().unwrap();
        }
    }
    unreachable!("the block sizes repeat until everything is written");
}

fn largest_difference(left: &Planar, right: &Planar) -> f32 {
    assert_eq!(left.channel_count(), right.channel_count());
    assert_eq!(left.frames(), right.frames());
    let pairs = left.channels().zip(right.channels());
    pairs
        .flat_map(|(l, r)| l.iter().zip(r))
        .map(|(l, r)| (l - r).abs())
        .fold(0.0, f32::max)
}

#[test]
fn every_encoding_comes_back_within_half_a_step() {
    let folder = tempfile::tempdir().unwrap();
    // Lengths around FLAC's block of 4096 and below its smallest; rates that need no, one and two
    // extra bytes in a FLAC header.
    let cases = [
        (1, 7, 48_000),
        (2, 1, 44_100),
        (2, 4096, 96_000),
        (2, 20_011, 44_056),
    ];
    for (channels, frames, rate_hz) in cases {
        let audio = noise(channels, frames);
        for encoding in ENCODINGS {
            let path = folder
                .path()
                .join(format!("{frames}.{}", encoding.extension()));
            let written = write(&path, &audio, rate_hz, encoding);
            assert_eq!(
                (written.frames, written.clipped_samples),
                (frames as u64, 0)
            );
            assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());
            // Guards against flacenc's blow-up on loud noise: never larger than uncompressed.
            let bytes_per_sample = u64::from(encoding.integer_bits().unwrap_or(32) / 8);
            let uncompressed = (channels * frames) as u64 * bytes_per_sample;
            assert!(
                written.bytes < uncompressed + uncompressed / 50 + 100,
                "{written:?}"
            );
            let clip = read_clip(&path).unwrap();
            assert_eq!(clip.rate_hz, rate_hz);
            let tolerance = match encoding.integer_bits() {
                None => 0.0,
                // Half a step, and one rounding of the float that comes back.
                Some(bits) => 0.5 / (1_u32 << (bits - 1)) as f32 + f32::EPSILON / 2.0,
            };
            let difference = largest_difference(&clip.audio, &audio);
            assert!(
                difference <= tolerance,
                "{encoding:?}, {frames} frames: {difference}"
            );
        }
    }
}

#[test]
fn a_second_pass_through_integers_changes_nothing() {
    // Guards against a scale that differs between reading and writing (32767 against 32768).
    let folder = tempfile::tempdir().unwrap();
    for encoding in ENCODINGS {
        let first = folder.path().join("first");
        let second = folder.path().join("second");
        write(&first, &noise(2, 5000), 44_100, encoding);
        let once = read_clip(&first).unwrap().audio;
        write(&second, &once, 44_100, encoding);
        assert_eq!(read_clip(&second).unwrap().audio, once, "{encoding:?}");
    }
}

#[test]
fn overs_are_clipped_and_counted_and_floats_keep_them() {
    let folder = tempfile::tempdir().unwrap();
    let loud = Planar::from_channels(vec![vec![1.5, -1.5, 1.0, -1.0, f32::NAN, 0.25]]).unwrap();
    for encoding in [Encoding::Wav16, Encoding::Flac24] {
        let path = folder.path().join("loud");
        // +1.0 is one step above the largest integer; -1.0 is the smallest.
        assert_eq!(write(&path, &loud, 44_100, encoding).clipped_samples, 4);
        let clip = read_clip(&path).unwrap();
        let heard = clip.audio.channel(0);
        assert!(heard[0] > 0.999 && heard[1] == -1.0 && heard[4] == 0.0 && heard[5] == 0.25);
    }
    let path = folder.path().join("float.wav");
    let loud = loud.slice(0, 4);
    assert_eq!(
        write(&path, &loud, 44_100, Encoding::Wav32Float).clipped_samples,
        0
    );
    assert_eq!(read_clip(&path).unwrap().audio, loud);
}

#[test]
fn block_sizes_of_the_reader_do_not_change_the_samples() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.flac");
    write(&path, &noise(2, 10_000), 44_100, Encoding::Flac16);
    let whole = read_clip(&path).unwrap().audio;
    for max_frames in [1, 63, 4096, 1 << 20] {
        let mut reader = FileReader::open(&path).unwrap();
        assert_eq!(reader.frames_hint(), Some(10_000));
        let mut joined = Planar::zeros(2, 0);
        while let Some(block) = reader.read(max_frames).unwrap() {
            assert!((1..=max_frames).contains(&block.frames()));
            joined.append(&block);
        }
        assert_eq!(joined, whole, "blocks of {max_frames}");
        assert!(reader.damage().is_none());
    }
}

#[test]
fn a_file_has_its_name_only_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stem.wav");
    let mut writer = FileWriter::create(&path, 44_100, 2, Encoding::Wav24).unwrap();
    writer.write(&noise(2, 100_000)).unwrap();
    assert!(!path.exists());
    drop(writer);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "a temporary file stayed behind"
    );

    write(&path, &noise(2, 10), 44_100, Encoding::Wav24);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_exit_without_destructors_can_tidy_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stem.wav");
    let writer = FileWriter::create(&path, 44_100, 2, Encoding::Wav24).unwrap();
    // Other tests of this process may have unfinished files too, unless each has its own process;
    // only this one must be gone.
    if std::env::var_os("NEXTEST").is_none() {
        eprintln!("skipped: needs a process of its own (cargo nextest)");
        return;
    }
    remove_unfinished();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(writer.finish().is_err());
}

#[test]
fn what_cannot_be_written_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("stem.wav");
    let error = FileWriter::create(&path, 44_100, 2, Encoding::Wav24)
        .err()
        .unwrap();
    assert!(matches!(error, FileError::Write { .. }), "{error}");

    let path = folder.path().join("stem.flac");
    let error = FileWriter::create(&path, 44_100, 9, Encoding::Flac24)
        .err()
        .unwrap();
    assert!(matches!(error, FileError::Unwritable { .. }), "{error}");
    let mut writer = FileWriter::create(&path, 44_100, 2, Encoding::Flac24).unwrap();
    assert!(matches!(
        writer.write(&noise(1, 5)),
        Err(FileError::Unwritable { .. })
    ));
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn broken_files_are_named_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let error = |path: &Path| FileReader::open(path).err().unwrap();

    assert!(matches!(
        error(&folder.path().join("none.wav")),
        FileError::NotFound { .. }
    ));
    assert!(matches!(error(folder.path()), FileError::Read { .. }));
    assert!(matches!(
        error(&file("empty.wav", b"")),
        FileError::Empty { .. }
    ));
    let text = "Dear diary, today I renamed a letter to letter.wav.\n".repeat(2000);
    let not_audio = error(&file("letter.wav", text.as_bytes()));
    assert!(
        matches!(not_audio, FileError::NotASong { what: "a text", .. }),
        "{not_audio}"
    );
    assert!(not_audio.to_string().contains("letter.wav"), "{not_audio}");

    let bytes: Vec<u8> = (0..9000_u32).map(|n| (n * n / 7) as u8).collect();
    let unknown = error(&file("noise.wav", &bytes));
    assert!(matches!(unknown, FileError::NotAudio { .. }), "{unknown}");

    // A whole header, and nothing behind it.
    let whole = folder.path().join("whole.wav");
    write(&whole, &noise(2, 1000), 44_100, Encoding::Wav16);
    let whole = fs::read(&whole).unwrap();
    let data = whole.windows(4).position(|name| name == b"data").unwrap();
    let header = &whole[..data + 8];
    let no_audio = error(&file("header.wav", header));
    assert!(
        matches!(no_audio, FileError::NoAudio { bytes, .. } if bytes == header.len() as u64),
        "{no_audio}"
    );
}

#[test]
fn a_file_cut_off_gives_what_is_there_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let audio = noise(2, 50_000);
    for encoding in [Encoding::Wav16, Encoding::Wav32Float, Encoding::Flac16] {
        let path = folder.path().join(format!("song.{}", encoding.extension()));
        write(&path, &audio, 44_100, encoding);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let mut reader = FileReader::open(&path).unwrap();
        let mut frames = 0;
        while let Some(block) = reader.read(4096).unwrap() {
            frames += block.frames() as u64;
        }
        assert!(
            (15_000..35_000).contains(&frames),
            "{encoding:?}: {frames} frames"
        );
        assert_eq!(
            reader.damage().missing_frames,
            50_000 - frames,
            "{encoding:?}"
        );
    }
}

#[test]
fn damage_in_the_middle_is_counted_and_the_rest_stays_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.flac");
    let audio = noise(2, 100_000);
    write(&path, &audio, 44_100, Encoding::Flac16);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0x55);
    fs::write(&path, &bytes).unwrap();
    let mut reader = FileReader::open(&path).unwrap();
    let mut heard = Planar::zeros(2, 0);
    while let Some(block) = reader.read(4096).unwrap() {
        heard.append(&block);
    }
    assert!(!reader.damage().is_none());
    let last = 1000;
    let end = heard.slice(heard.frames() - last, last);
    assert!(largest_difference(&end, &audio.slice(100_000 - last, last)) < 1e-4);
}

/// Guards against a single NaN in a file that fills whole windows of every stem.
#[test]
fn invalid_samples_are_replaced_and_counted_from_the_first_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.wav");
    let mut audio = noise(2, 30_000);
    audio.channel_mut(1)[20_001] = f32::NAN;
    audio.channel_mut(0)[20_003] = f32::INFINITY;
    audio.channel_mut(0)[29_999] = -3e38;
    write(&path, &audio, 44_100, Encoding::Wav32Float);
    for block_frames in [1, 977, 1 << 16] {
        let mut reader = FileReader::open(&path).unwrap();
        let mut heard = Planar::zeros(2, 0);
        while let Some(block) = reader.read(block_frames).unwrap() {
            heard.append(&block);
        }
        assert_eq!(heard.channel(1)[20_001], 0.0);
        assert_eq!(heard.channel(0)[20_003], 1000.0);
        assert_eq!(heard.channel(0)[29_999], -1000.0);
        assert_eq!(heard.channel(0)[20_001], audio.channel(0)[20_001]);
        let damage = reader.damage();
        assert_eq!(damage.invalid_samples, 3);
        assert_eq!(damage.first_invalid_frame, Some(20_001));
        let warnings = damage.warnings(44_100);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("3 invalid samples"), "{warnings:?}");
        assert!(warnings[0].contains("0.454 s"), "{warnings:?}");
    }
}

#[test]
fn real_recordings_are_as_long_as_they_say() {
    // Frames counted by an independent decoder, encoder delay and padding left out.
    let cases = [
        ("songs/outfoxing.mp3", 44_100, 2, 4_295_535),
        (
            "songs/Karissa_Hobbs_-_Lets_Go_Fishin.hq.ogg",
            44_100,
            2,
            5_864_815,
        ),
        ("formats/falcon69.stem.mp4", 44_100, 2, 268_288),
    ];
    for (name, rate_hz, channels, frames) in cases {
        let Some(path) = test_audio(name) else {
            continue;
        };
        let clip = read_clip(&path).unwrap();
        let shape = (
            clip.rate_hz,
            clip.audio.channel_count(),
            clip.audio.frames(),
        );
        assert_eq!(shape, (rate_hz, channels, frames), "{name}");
        let peak = clip
            .audio
            .channels()
            .flatten()
            .fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!((0.1..2.0).contains(&peak), "{name}: peak {peak}");
    }
}

#[test]
fn an_edit_list_of_an_mp4_is_obeyed() {
    // The test file has none, as few AAC encoders write; give it one that hears 100000 frames
    // after a delay of 1024, in the place of tags, so that no offset changes.
    let Some(path) = test_audio("formats/falcon69.stem.mp4") else {
        return;
    };
    let whole = read_clip(&path).unwrap().audio;
    let mut bytes = fs::read(&path).unwrap();
    let find = |bytes: &[u8], name: &[u8; 4]| bytes.windows(4).position(|w| w == name).unwrap() - 4;
    let length_at =
        |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    const EDIT_BYTES: u32 = 36;
    let mut edits = Vec::new();
    for word in [EDIT_BYTES, u32::from_be_bytes(*b"edts"), EDIT_BYTES - 8] {
        edits.extend(word.to_be_bytes());
    }
    edits.extend(*b"elst");
    for word in [0, 1, 100_000, 1024, 0x0001_0000_u32] {
        edits.extend(word.to_be_bytes());
    }
    let track = find(&bytes, b"trak");
    let track_end = track + length_at(&bytes, track) as usize;
    let tags = find(&bytes, b"udta");
    let shorter = length_at(&bytes, tags) - EDIT_BYTES;
    let last_bytes_of_tags = tags + shorter as usize;
    // Tags inside would no longer add up: call them free space.
    bytes[tags..tags + 4].copy_from_slice(&shorter.to_be_bytes());
    bytes[tags + 4..tags + 8].copy_from_slice(b"free");
    bytes.drain(last_bytes_of_tags..last_bytes_of_tags + EDIT_BYTES as usize);
    let longer = length_at(&bytes, track) + EDIT_BYTES;
    bytes[track..track + 4].copy_from_slice(&longer.to_be_bytes());
    bytes.splice(track_end..track_end, edits);

    let folder = tempfile::tempdir().unwrap();
    let edited = folder.path().join("edited.m4a");
    fs::write(&edited, &bytes).unwrap();
    let clip = read_clip(&edited).unwrap();
    assert_eq!(clip.audio, whole.slice(1024, 100_000));
    assert_eq!(
        FileReader::open(&edited).unwrap().frames_hint(),
        Some(100_000)
    );
}

#[test]
fn mono_becomes_stereo_and_surround_is_refused() {
    let stereo = to_stereo(noise(1, 10)).unwrap();
    assert_eq!(stereo.channel(0), stereo.channel(1));
    assert_eq!(to_stereo(noise(6, 10)).unwrap_err().channel_count(), 6);
}
