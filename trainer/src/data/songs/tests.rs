//! Songs in folders of empty files: discovery looks at names only.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use super::*;

fn stems() -> Vec<String> {
    ["drums", "bass", "other", "vocals"]
        .map(String::from)
        .to_vec()
}

/// A folder with empty files at these paths: discovery looks at names only.
fn tree(paths: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for path in paths {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    root
}

#[test]
fn songs_come_sorted_with_their_stems_and_mixture() {
    let root = tree(&[
        "b/drums.wav",
        "b/vocals.WAV",
        "b/mixture.wav",
        "a/bass.ogg",
        "a/cover.jpg",
        "notes/readme.txt",
        ".trash/drums.wav",
    ]);
    let songs = discover_songs(root.path(), &stems()).unwrap();
    let names: Vec<&str> = songs.iter().map(|song| song.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        songs[0].stem("bass"),
        Some(&StemFile::whole(root.path().join("a/bass.ogg")))
    );
    assert_eq!(songs[0].mixture, None);
    let mixture = root.path().join("b/mixture.wav");
    assert_eq!(songs[1].mixture, Some(StemFile::whole(mixture)));
    assert!(
        songs[1].stem("vocals").is_some(),
        "extensions are not case-sensitive"
    );
    assert_eq!(
        songs[1].stem("bass"),
        None,
        "a missing stem is missing, not silent"
    );
}

#[test]
fn lossless_wins_where_a_stem_exists_twice() {
    let root = tree(&["a/drums.mp3", "a/drums.flac", "a/drums.ogg"]);
    let songs = discover_songs(root.path(), &stems()).unwrap();
    assert_eq!(
        songs[0].stem("drums"),
        Some(&StemFile::whole(root.path().join("a/drums.flac")))
    );
}

#[test]
fn containers_and_folders_may_lie_side_by_side() {
    let root = tree(&["b.stem.mp4", "a/drums.wav", "cover.mp4"]);
    let songs = discover_songs(root.path(), &stems()).unwrap();
    let names: Vec<&str> = songs.iter().map(|song| song.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let track = |name: &str| songs[1].stem(name).and_then(|file| file.track);
    // MUSDB18's order, since this file says nothing.
    assert_eq!(
        stems().iter().map(|name| track(name)).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(3), Some(4)]
    );
    let mixture = songs[1].mixture.as_ref().unwrap();
    assert_eq!(mixture.track, Some(0));
    let alone = discover_songs(&root.path().join("b.stem.mp4"), &stems()).unwrap();
    assert_eq!(alone, songs[1..]);
}

#[test]
fn one_song_can_be_pointed_at() {
    let root = tree(&["caesium/drums.ogg"]);
    let songs = discover_songs(&root.path().join("caesium"), &stems()).unwrap();
    assert_eq!(songs.len(), 1);
    assert_eq!(songs[0].name, "caesium");
}

#[test]
fn a_folder_one_level_too_high_is_told_apart_from_an_empty_one() {
    let root = tree(&["train/a/drums.wav", "train/b/drums.wav", "test/c/drums.wav"]);
    let message = discover_songs(root.path(), &stems())
        .unwrap_err()
        .to_string();
    assert!(message.contains("train/ (2 songs)"), "{message}");
    assert!(message.contains("test/ (1 song)"), "{message}");

    let empty = tempfile::tempdir().unwrap();
    let message = discover_songs(empty.path(), &stems())
        .unwrap_err()
        .to_string();
    assert!(message.contains("drums.wav"), "{message}");
    assert!(message.contains("it holds nothing"), "{message}");
}

#[test]
fn a_missing_folder_is_named() {
    let message = discover_songs(Path::new("no/such/place"), &stems())
        .unwrap_err()
        .to_string();
    assert!(message.contains("no/such/place"), "{message}");
}

/// Guards against stems that are quietly none: in upper case, behind a dead link.
#[test]
fn stems_in_any_case_and_behind_dead_links_are_stems() {
    let root = tree(&[
        "a/Drums.wav",
        "a/VOCALS.WAV",
        "a/bass .flac",
        "a/Mixture.wav",
    ]);
    std::os::unix::fs::symlink("gone.wav", root.path().join("a/other.wav")).unwrap();
    let found = discover(root.path(), &stems()).unwrap();
    let song = &found.songs[0];
    let names: Vec<&str> = song.stems.keys().map(String::as_str).collect();
    assert_eq!(names, ["bass", "drums", "other", "vocals"]);
    assert!(song.mixture.is_some());
    assert_eq!(found.ignored, []);
}

/// Guards against files that were meant for stems and are passed over in silence.
#[test]
fn what_looks_like_a_stem_and_is_none_is_named() {
    let root = tree(&[
        "a/bass (1).wav",
        "a/drums.wav",
        "a/Drums.wav",
        "a/drums.flac",
        "a/vox.wav",
        "a/vocals.txt",
        "a/other.wav",
        "a/another one.wav",
        "a/mix.wav",
        "kit/Kick.wav",
        "texts/readme.txt",
        "song.stem (1).mp4",
    ]);
    std::os::unix::fs::symlink("gone", root.path().join("z")).unwrap();
    let found = discover(root.path(), &stems()).unwrap();
    let mut lines: Vec<String> = found.ignored.iter().map(Ignored::to_string).collect();
    let root = format!("{}/", root.path().display());
    lines
        .iter_mut()
        .for_each(|line| *line = line.replace(&root, ""));
    let expected = [
        "a/Drums.wav is not read: drums.wav is the drums",
        "a/bass (1).wav is not read: if it is the bass, call it bass.wav",
        "a/mix.wav is not read: if it is the mixture, call it mixture.wav",
        "a/vocals.txt is not read: expected one of wav, ",
        "a/vox.wav is not read: if it is the vocals, call it vocals.wav",
        "kit is not read: it holds Kick.wav and none of drums.wav, ",
        "song.stem (1).mp4 is not read: a song's name ends with .stem.mp4",
        "z is not read: it is a link to what is not there",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
}
