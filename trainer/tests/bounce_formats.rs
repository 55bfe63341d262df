//! The formats that the `bounce` program writes.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

mod bouncing;

use std::fs;

use bouncing::{
    Bench, NULL, RATE_HZ, STEMS, assert_exit, assert_they_add_up, file_names, stderr, stems,
};
use bunri_stream::files::{Encoding, FileWriter, StemFileWriter, TagField, Tags};
use bunri_stream::{FileReader, Planar, read_clip};

/// Guards against an encoder that stops at 96 kHz.
#[test]
fn flac_stems_have_the_rate_of_any_song_that_flac_holds() {
    let bench = Bench::new();
    let song = bench.song("song.wav", 192_000, 2, 20_000);
    assert_exit(&bench.run(&["--format", "flac"], &[&song]), 0);
    assert_they_add_up(&song, &stems(&bench.path("out/song"), &STEMS, "flac"));
}

#[test]
fn a_rate_that_the_format_cannot_hold_is_refused_before_anything_is_made() {
    let bench = Bench::new();
    let song = bench.song("song.wav", 786_432, 1, 2000);
    let output = bench.run(&["--format", "flac"], &[&song]);
    assert_exit(&output, 1);
    let said = stderr(&output);
    for part in ["drums.flac", "786432 Hz", "write wav"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(file_names(&bench.path("out")).is_empty());
}

#[test]
fn a_format_without_its_encoder_is_refused_with_the_way_to_get_it() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 2000);
    for arguments in [
        ["--format", "mp3"],
        ["--format", "m4a"],
        ["--format", "stem"],
    ] {
        let mut command = bench.bounce(&arguments);
        let output = command.env("BUNRI_FFMPEG", "").arg(&song).output().unwrap();
        assert_exit(&output, 1);
        let said = stderr(&output);
        assert!(
            said.contains("ffmpeg") && said.contains("apt install"),
            "{said}"
        );
    }
    assert!(!bench.path("out").exists());
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 2000);
    for (arguments, way_out) in [
        ("--format mp3 --bits 24", "--bitrate"),
        ("--format mp3 --bitrate 400", "at most 320"),
        ("--format flac --bitrate 192", "--bits"),
        ("--format wav --codec alac", "leave it out"),
        ("--format m4a --codec alac --bits 24", "--format flac"),
        (
            "--format stem --codec alac --stems drums",
            "drums, bass, other, vocals",
        ),
        (
            "--format stem --codec alac --two-stems vocals",
            "drums, bass, other, vocals",
        ),
    ] {
        let arguments: Vec<_> = arguments.split(' ').collect();
        let output = bench.run(&arguments, &[&song]);
        assert_exit(&output, 1);
        assert!(stderr(&output).contains(way_out), "{}", stderr(&output));
    }
    assert!(!bench.path("out").exists());
}

#[test]
fn a_stem_file_holds_the_song_and_stems_that_add_up_to_it() {
    let bench = Bench::new();
    let song = bench.path("song.flac");
    let mut tags = Tags::default();
    tags.set(TagField::Title, "Song");
    tags.set(TagField::Bpm, "128");
    // Quiet, for the tiny model's stems are louder than the song, and integers clip.
    let channel = |step: f32| (0..30_000).map(move |frame| 0.01 * (frame as f32 * step).sin());
    let audio = Planar::from_channels(vec![channel(0.03).collect(), channel(0.05).collect()]);
    let audio = audio.unwrap();
    let mut file = FileWriter::create_tagged(&song, RATE_HZ, 2, Encoding::Flac24, &tags).unwrap();
    file.write(&audio).unwrap();
    file.finish().unwrap();

    for run in 0..2 {
        // The second run replaces what the first made.
        assert_exit(
            &bench.run(&["--format", "stem", "--codec", "alac"], &[&song]),
            0,
        );
        assert_eq!(file_names(&bench.path("out")), ["song"], "run {run}");
    }
    assert_eq!(
        file_names(&bench.path("out/song")),
        ["song.json", "song.stem.mp4"]
    );
    let path = bench.path("out/song/song.stem.mp4");
    assert_eq!(FileReader::open(&path).unwrap().tags(), &tags);
    let track = |track| {
        let reader = FileReader::open_track(&path, track).unwrap();
        reader.into_clip().unwrap().audio
    };
    let difference = |left: &Planar, right: &Planar| {
        assert_eq!(left.frames(), right.frames());
        let pairs = left.channels().flatten().zip(right.channels().flatten());
        pairs
            .map(|(left, right)| (left - right).abs())
            .fold(0.0, f32::max)
    };
    assert!(difference(&track(0), &audio) < NULL);
    let mut sum = Planar::zeros(2, audio.frames());
    (1..StemFileWriter::TRACKS).for_each(|stem| sum.add(&track(stem)));
    // Four stems of 16 bits, rounded.
    assert!(difference(&sum, &audio) < 3.0 * NULL);
}

#[test]
fn compressed_stems_are_as_long_as_the_song() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 30_001);
    for (format, encoding) in [("mp3", Encoding::Mp3(None)), ("m4a", Encoding::Aac(None))] {
        if let Err(error) = encoding.check_encoder() {
            eprintln!("skipped: {error}");
            continue;
        }
        assert_exit(&bench.run(&["--format", format], &[&song]), 0);
        for stem in stems(&bench.path("out/song"), &STEMS, format) {
            assert_eq!(read_clip(&stem).unwrap().audio.frames(), 30_001);
        }
    }
}

/// Guards the disk against full-size files that a run left which was killed.
#[test]
fn a_run_removes_what_a_killed_one_left() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 400_000);
    let mut child = bench.bounce(&[]).arg(&song).spawn().unwrap();
    let left = || {
        let names = file_names(&bench.path("out/song"));
        names.iter().filter(|name| name.ends_with(".tmp")).count()
    };
    while left() < STEMS.len() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended too soon to be killed"
        );
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // SIGKILL: no destructor runs.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(left(), STEMS.len());
    assert_exit(&bench.run(&[], &[&song]), 0);
    assert_eq!(left(), 0);
    assert_they_add_up(&song, &stems(&bench.path("out/song"), &STEMS, "wav"));
    assert!(fs::metadata(bench.path("out/song/bunri.json")).is_ok());
}
