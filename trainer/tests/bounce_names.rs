//! Where the `bounce` program puts results: never above its folder, never over what is another's.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

mod bouncing;

use std::fs;
use std::path::PathBuf;

use bouncing::{Bench, RATE_HZ, STEMS, assert_exit, assert_they_add_up, file_names, stderr, stems};
use bunri_stream::Planar;
use bunri_stream::files::{Encoding, FileWriter, TagField, Tags};

/// Guards the user's files around the output folder: an input called `..wav` wrote into the output
/// folder itself, and `...wav` above it, where it replaced a file.
#[test]
fn inputs_of_dots_and_reserved_names_stay_in_the_output_folder() {
    let bench = Bench::new();
    let above = bench.path("drums.wav");
    fs::write(&above, "mine").unwrap();
    let names = [
        "..wav",
        "...wav",
        "....wav",
        ". .wav",
        " .wav",
        "CON.wav",
        "nul.wav",
        "a.. .wav",
        "what?.wav",
    ];
    let songs: Vec<PathBuf> = (names.iter().zip(1000..))
        .map(|(name, frames)| bench.song(&format!("in/{name}"), RATE_HZ, 2, frames))
        .collect();
    assert_exit(&bench.bounce(&[]).args(&songs).output().unwrap(), 0);
    assert_eq!(fs::read(&above).unwrap(), b"mine");
    assert_eq!(
        file_names(&bench.path("")),
        ["drums.wav", "in", "model.safetensors", "out"]
    );
    let folders = file_names(&bench.path("out"));
    assert_eq!(folders.len(), songs.len(), "{folders:?}");
    for folder in &folders {
        assert_eq!(
            file_names(&bench.path("out").join(folder)).len(),
            5,
            "{folder:?}"
        );
        assert!(
            !folder.ends_with(['.', ' ']) && !folder.contains('?'),
            "{folder:?}"
        );
        assert!(!["CON", "nul"].contains(&&**folder), "{folder:?}");
    }
}

#[test]
fn results_beside_the_inputs_get_free_names() {
    let bench = Bench::new();
    let songs = [
        ("out/song.mp3", 3000),
        ("out/song.wav", 4000),
        ("out/song", 5000),
    ]
    .map(|(name, frames)| bench.song(name, RATE_HZ, 2, frames));
    let before: Vec<_> = songs.iter().map(|song| fs::read(song).unwrap()).collect();
    assert_exit(&bench.bounce(&[]).args(&songs).output().unwrap(), 0);
    let after: Vec<_> = songs.iter().map(|song| fs::read(song).unwrap()).collect();
    assert!(before == after, "an input was replaced");
    let folders = ["song.mp3 (2)", "song.wav (2)", "song (2)"];
    for (song, folder) in songs.iter().zip(folders) {
        assert_they_add_up(song, &stems(&bench.path("out").join(folder), &STEMS, "wav"));
    }
}

/// Guards the results of one song against another of the same name, in runs a year apart.
#[test]
fn a_later_song_of_the_same_name_replaces_nothing() {
    let bench = Bench::new();
    let first = bench.song("a/song.wav", RATE_HZ, 2, 9000);
    let second = bench.song("b/song.wav", RATE_HZ, 2, 12_000);
    assert_exit(&bench.run(&[], &[&first]), 0);
    let output = bench.run(&[], &[&second]);
    assert_exit(&output, 0);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("a/song.wav") && said.contains("out/song.wav"),
        "{said}"
    );
    assert_they_add_up(&first, &stems(&bench.path("out/song"), &STEMS, "wav"));
    assert_they_add_up(&second, &stems(&bench.path("out/song.wav"), &STEMS, "wav"));

    // The same song replaces its own results, and what becomes of each is said before.
    let output = bench.run(&["--two-stems", "vocals"], &[&first]);
    assert_exit(&output, 0);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let will = |stems: &str, what: &str| {
        (said.lines()).any(|line| line.contains(&format!(": {stems} of ")) && line.contains(what))
    };
    assert!(will("vocals", "will be replaced"), "{said}");
    assert!(will("drums, bass, other", "will stay"), "{said}");
    assert_they_add_up(
        &first,
        &stems(&bench.path("out/song"), &["vocals", "no_vocals"], "wav"),
    );
    assert_exit(&bench.run(&["--two-stems", "bass"], &[&first]), 0);
    assert_eq!(file_names(&bench.path("out")), ["song", "song.wav"]);
}

/// Guards the folder tree against what the tags of a file say.
#[test]
fn tags_name_the_results_and_add_no_folder() {
    let bench = Bench::new();
    let mut tags = Tags::default();
    tags.set(TagField::Artist, "AC/DC");
    tags.set(TagField::Title, "..");
    tags.set(TagField::Album, "What? Now: \\..\\..");
    tags.set(TagField::Track, "3/12");
    let song = bench.path("song.flac");
    let mut file = FileWriter::create_tagged(&song, RATE_HZ, 2, Encoding::Flac24, &tags).unwrap();
    file.write(&Planar::zeros(2, 2000)).unwrap();
    file.finish().unwrap();
    let name = "{artist}/{album}/{track} {title}/{stem}";
    assert_exit(&bench.run(&["--name", name], &[&song]), 0);
    let mut folder = bench.path("out");
    for depth in 0..3 {
        let names = file_names(&folder);
        assert_eq!(names.len(), 1, "{names:?} at {depth}");
        assert!(!names[0].contains(['?', ':', '\\']), "{names:?}");
        folder.push(&names[0]);
    }
    assert!(
        folder.ends_with("AC_DC/What_ Now/03"),
        "{}",
        folder.display()
    );
    assert_eq!(file_names(&folder).len(), STEMS.len() + 1);
    assert_eq!(file_names(&bench.path("out")), ["AC_DC"]);
}

#[test]
fn names_follow_the_template() {
    let bench = Bench::new();
    let song = bench.song("in/x/song.wav", RATE_HZ, 2, 3000);
    let template = [
        "--recursive",
        "--name",
        "{artist}/{album}/{track} {title} ({stem}, {model})",
    ];
    assert_exit(&bench.run(&template, &[&bench.path("in")]), 0);
    let folder = bench.path("out/x/Unknown artist/Unknown album");
    let paths = STEMS.map(|stem| folder.join(format!("00 song ({stem}, model).wav")));
    assert_they_add_up(&song, &paths);
    assert!(folder.join("00 song (bunri, model).json").is_file());

    for (arguments, said) in [
        (&["--name", "{name}"][..], "--name needs {stem}"),
        (
            &["--name", "../{stem}"],
            "not a path below the output folder",
        ),
        (
            &["--name", "{year}/{stem}"],
            "{year} is not a field of songs",
        ),
    ] {
        let output = bench.run(arguments, &[&song]);
        assert_ne!(output.status.code(), Some(0));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert_exit(
        &bench.run(&["--name", "{name}", "--stems", "bass"], &[&song]),
        0,
    );
    assert!(bench.path("out/song.wav").is_file() && bench.path("out/song.json").is_file());
}
