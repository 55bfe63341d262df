//! What each format holds comes back from it, and what it cannot hold is refused before any work.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use bunri_stream::Planar;
use bunri_stream::files::{
    Encoding, FileReader, FileWriter, StemFileWriter, TagField, Tags, read_clip, stem_description,
};

/// Tones of channels and tracks that differ, below full scale, faded in and out: codecs blur what
/// begins at once.
fn tones(channels: usize, frames: usize, track: usize) -> Planar {
    let sample = |channel: usize, frame: usize| {
        let step = 0.1 * (1.0 + channel as f32) + 0.03 * track as f32;
        let fade = frame.min(frames - frame).min(2000) as f32 / 2000.0;
        0.15 * fade * (frame as f32 * step).sin()
    };
    let channel = |channel| (0..frames).map(|frame| sample(channel, frame)).collect();
    Planar::from_channels((0..channels).map(channel).collect()).unwrap()
}

fn write(path: &Path, audio: &Planar, rate_hz: u32, encoding: Encoding, tags: &Tags) {
    let channels = audio.channel_count();
    let mut writer = FileWriter::create_tagged(path, rate_hz, channels, encoding, tags).unwrap();
    for start in (0..audio.frames()).step_by(1000) {
        let frames = 1000.min(audio.frames() - start);
        writer.write(&audio.slice(start, frames)).unwrap();
    }
    writer.finish().unwrap();
}

fn largest_difference(left: &Planar, right: &Planar) -> f32 {
    assert_eq!(left.channel_count(), right.channel_count());
    assert_eq!(left.frames(), right.frames());
    let pairs = left.channels().zip(right.channels());
    pairs
        .flat_map(|(left, right)| left.iter().zip(right))
        .map(|(left, right)| (left - right).abs())
        .fold(0.0, f32::max)
}

/// RMS of the difference, as a share of the second's.
fn relative_difference(left: &Planar, right: &Planar) -> f32 {
    assert_eq!(left.frames(), right.frames());
    let power = |samples: &mut dyn Iterator<Item = f32>| samples.map(|x| x * x).sum::<f32>();
    let pairs = || {
        left.channels()
            .zip(right.channels())
            .flat_map(|(left, right)| left.iter().zip(right))
    };
    let difference = power(&mut pairs().map(|(left, right)| left - right));
    (difference / power(&mut pairs().map(|(_, right)| *right))).sqrt()
}

/// A delay that is wrong by one frame makes 0.1 and more of tones this high.
const LOSSY: f32 = 0.05;

/// Half a step of 16 bits, and one rounding of the float that comes back.
const HALF_STEP: f32 = 0.5 / 32_768.0 + f32::EPSILON;

fn tagged() -> Tags {
    let mut tags = Tags::default();
    tags.set(TagField::Title, "Übung – Nr. 1");
    tags.set(TagField::Artist, "AC/DC & friends");
    tags.set(TagField::Album, "Album");
    tags.set(TagField::Genre, "House");
    tags.set(TagField::Date, "1999");
    tags.set(TagField::Track, "3/12");
    tags
}

/// Whether the user's ffmpeg has the encoder; prints what is missing.
fn is_at_hand(encoding: Encoding) -> bool {
    encoding
        .check_encoder()
        .inspect_err(|error| eprintln!("skipped: {error}"))
        .is_ok()
}

#[test]
fn flac_holds_every_rate_up_to_655350_hz() {
    // Guards against an encoder that stops at 96 kHz, and against frames that say another rate than
    // the file: 655350 and 88211 have no code in a frame's header.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.flac");
    for rate_hz in [
        1, 8_000, 88_211, 96_001, 176_400, 192_000, 352_800, 384_000, 655_349, 655_350,
    ] {
        for channels in [1, 2, 8] {
            let audio = tones(channels, 5000, 0);
            write(&path, &audio, rate_hz, Encoding::Flac16, &Tags::default());
            let clip = read_clip(&path).unwrap();
            assert_eq!(clip.rate_hz, rate_hz);
            assert!(
                largest_difference(&clip.audio, &audio) <= HALF_STEP,
                "{rate_hz} Hz"
            );
        }
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused_with_the_file_the_rate_and_a_format_that_can() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (Encoding::Flac24, 655_351, 2, "write wav"),
        (Encoding::Flac16, 44_100, 9, "write wav"),
        (Encoding::Mp3(None), 96_000, 2, "write flac or wav"),
        (Encoding::Mp3(None), 44_100, 6, "write flac or wav"),
        (Encoding::Aac(None), 192_000, 2, "write flac or wav"),
        (Encoding::Aac(None), 44_056, 2, "write flac or wav"),
        (Encoding::Opus(None), 48_000, 3, "write flac or wav"),
        (Encoding::Alac16, 768_000, 2, "write flac or wav"),
        (Encoding::Wav32Float, 44_100, 20_000, "write fewer channels"),
        (Encoding::Wav16, 0, 2, "write a recording"),
    ];
    for (encoding, rate_hz, channels, way_out) in cases {
        let path = folder.path().join(format!("a.{}", encoding.extension()));
        let refused = FileWriter::create(&path, rate_hz, channels, encoding);
        let error = refused.err().unwrap().to_string();
        for part in [&*path.to_string_lossy(), &format!("{rate_hz} Hz"), way_out] {
            assert!(error.contains(part), "{encoding:?}: {error}");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn apple_lossless_comes_back_sample_by_sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.m4a");
    // Around its packet of 4096; rates that the container's own field does not hold.
    for (channels, frames, rate_hz) in [
        (1, 1, 44_100),
        (2, 4096, 48_000),
        (2, 300_007, 44_100),
        (2, 9000, 96_000),
        (1, 9000, 384_000),
    ] {
        let audio = tones(channels, frames, 0);
        write(&path, &audio, rate_hz, Encoding::Alac16, &Tags::default());
        let clip = read_clip(&path).unwrap();
        assert_eq!(clip.rate_hz, rate_hz);
        assert!(
            largest_difference(&clip.audio, &audio) <= HALF_STEP,
            "{frames}"
        );
    }
}

#[test]
fn a_recording_s_tags_are_in_every_format_of_its_stems() {
    let folder = tempfile::tempdir().unwrap();
    for encoding in [
        Encoding::Wav16,
        Encoding::Wav32Float,
        Encoding::Flac24,
        Encoding::Alac16,
        Encoding::Mp3(None),
        Encoding::Opus(None),
        Encoding::Aac(Some(96)),
    ] {
        // Opus is decoded by the user's program, which gives no tags.
        if matches!(encoding, Encoding::Opus(_)) || !is_at_hand(encoding) {
            continue;
        }
        let path = folder.path().join(format!("a.{}", encoding.extension()));
        write(&path, &tones(2, 5000, 0), 44_100, encoding, &tagged());
        let reader = FileReader::open(&path).unwrap();
        assert_eq!(reader.tags(), &tagged(), "{encoding:?}");
    }
}

#[test]
fn a_tag_cannot_break_a_file_s_structure() {
    // Guards against values that end at a zero byte, or become a line of their own.
    let mut tags = Tags::default();
    tags.set(TagField::Title, "one\0two\nthree");
    assert_eq!(tags.get(TagField::Title), Some("one two three"));
    tags.set(TagField::Title, "\n");
    assert_eq!(tags, Tags::default());
}

#[test]
fn compressed_files_are_as_long_as_what_they_were_made_from() {
    let folder = tempfile::tempdir().unwrap();
    for encoding in [
        Encoding::Mp3(None),
        Encoding::Mp3(Some(192)),
        Encoding::Aac(None),
    ] {
        if !is_at_hand(encoding) {
            continue;
        }
        let path = folder.path().join(format!("a.{}", encoding.extension()));
        for (channels, frames, rate_hz) in [(2, 100_003, 44_100), (1, 40_000, 48_000)] {
            let audio = tones(channels, frames, 0);
            write(&path, &audio, rate_hz, encoding, &Tags::default());
            let mut reader = FileReader::open(&path).unwrap();
            assert_eq!(reader.rate_hz(), rate_hz);
            let decoded = reader.read(usize::MAX).unwrap().unwrap();
            assert!(reader.read(1).unwrap().is_none() && reader.damage().is_none());
            let difference = relative_difference(&decoded, &audio);
            assert!(difference < LOSSY, "{encoding:?}, {frames}: {difference}");
        }
    }
}

#[test]
fn a_writer_that_is_dropped_ends_its_encoder_and_leaves_nothing() {
    let encoding = Encoding::Mp3(None);
    if !is_at_hand(encoding) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut writer = FileWriter::create(folder.path().join("a.mp3"), 44_100, 2, encoding).unwrap();
    writer.write(&tones(2, 100_000, 0)).unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_stem_file_is_read_back_track_by_track() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.stem.mp4");
    for encoding in [Encoding::Alac16, Encoding::Aac(None)] {
        if !is_at_hand(encoding) {
            continue;
        }
        let frames = 50_001;
        let stems: Vec<Planar> = (1..5).map(|track| tones(2, frames, track)).collect();
        let mut mixture = stems[0].clone();
        stems[1..].iter().for_each(|stem| mixture.add(stem));
        let mut file = StemFileWriter::create(&path, 44_100, encoding, &tagged()).unwrap();
        for start in (0..frames).step_by(7000) {
            let block = 7000.min(frames - start);
            for (track, audio) in std::iter::once(&mixture).chain(&stems).enumerate() {
                file.write(track, &audio.slice(start, block)).unwrap();
            }
        }
        let written = file.finish().unwrap();
        assert_eq!(
            (written.frames, written.clipped_samples),
            (frames as u64, 0)
        );

        assert_eq!(
            FileReader::count_tracks(&path).unwrap(),
            StemFileWriter::TRACKS
        );
        let tracks: Vec<Planar> = (0..StemFileWriter::TRACKS)
            .map(|track| FileReader::open_track(&path, track).unwrap())
            .map(|reader| reader.into_clip().unwrap().audio)
            .collect();
        for (track, audio) in std::iter::once(&mixture).chain(&stems).enumerate() {
            match encoding {
                Encoding::Alac16 => {
                    assert!(largest_difference(&tracks[track], audio) <= HALF_STEP);
                }
                _ => {
                    let difference = relative_difference(&tracks[track], audio);
                    assert!(difference < LOSSY, "track {track}: {difference}");
                }
            }
        }
        assert_eq!(FileReader::open(&path).unwrap().tags(), &tagged());
        let description = stem_description(&path).unwrap();
        let names = ["Drums", "Bass", "Other", "Vocals"].map(|name| description.find(name));
        assert!(names.is_sorted() && names[0].is_some(), "{description}");

        // Players that know nothing of stems play the enabled tracks.
        let bytes = fs::read(&path).unwrap();
        let headers = bytes.windows(8).filter(|window| window[..4] == *b"tkhd");
        let enabled: Vec<bool> = headers.map(|header| header[7] & 1 == 1).collect();
        assert_eq!(enabled, [true, false, false, false, false]);
    }
}

#[test]
fn a_stem_file_of_uneven_tracks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.stem.mp4");
    let tags = Tags::default();
    let mut file = StemFileWriter::create(&path, 44_100, Encoding::Alac16, &tags).unwrap();
    for track in 0..4 {
        file.write(track, &tones(1, 100, track)).unwrap();
    }
    assert!(file.write(5, &tones(2, 100, 0)).is_err());
    let error = file.finish().unwrap_err().to_string();
    assert!(error.contains("100, 0"), "{error}");
    let error = StemFileWriter::create(&path, 44_100, Encoding::Flac16, &tags);
    assert!(error.err().unwrap().to_string().contains("Apple Lossless"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
