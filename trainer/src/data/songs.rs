//! Songs with known stems, as they lie on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::stem_file::{CONTAINER_SUFFIX, StemFile, container_name, container_stems};

/// Audio files that are looked for, by extension; where a stem exists twice, the first one wins.
const EXTENSIONS: [&str; 8] = ["wav", "flac", "aiff", "aif", "ogg", "mp3", "m4a", "mp4"];

/// One song: a folder with one audio file per stem, or a container of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Song {
    /// The folder's own name, or the container's.
    pub name: String,
    /// Where the song lies: the folder, or the container.
    pub folder: PathBuf,
    /// The files by stem name. A name that was asked for but is not in here has no file: the song
    /// is partly labelled, and nothing may be said about that stem. It must not be taken for
    /// silence: its sound may be part of another stem, or of the mixture file only.
    pub stems: BTreeMap<String, StemFile>,
    /// The file `mixture.*`, or the container's first track. Where there is none, the mixture is
    /// the sum of the stems.
    pub mixture: Option<StemFile>,
}

impl Song {
    /// The file of a stem, or `None` where the song has none.
    #[must_use]
    pub fn stem(&self, name: &str) -> Option<&StemFile> {
        self.stems.get(name)
    }
}

/// Finds every song in `root` that has at least one of `stems`, sorted by name.
///
/// The layout is MUSDB18-HQ's, `root/<song>/{mixture,drums,bass,other,vocals}.wav`, with any of
/// wav, flac, aiff, ogg, mp3, m4a and mp4 as format and the mixture optional; or MUSDB18's,
/// `root/<song>.stem.mp4`, with mixture and stems as tracks of one file. Only `root` itself is
/// looked at: a data set divided into `train` and `test` is two roots. A folder that holds stems
/// itself is a root of one song, as is one container.
///
/// # Errors
/// When the folder cannot be read, or holds no song; the message then says what it does hold.
pub fn discover_songs(root: &Path, stems: &[String]) -> Result<Vec<Song>> {
    if root.is_file()
        && let Some(song) = song_of_container(root, stems)
    {
        return Ok(vec![song]);
    }
    if let Some(song) = song_in(root, stems)? {
        return Ok(vec![song]);
    }
    let songs = songs_below(root, stems)?;
    if songs.is_empty() {
        bail!("{}", no_songs(root, stems)?);
    }
    Ok(songs)
}

/// The songs that are folders of `root`, or containers in it.
fn songs_below(root: &Path, stems: &[String]) -> Result<Vec<Song>> {
    let mut songs = Vec::new();
    for path in list(root)? {
        if path.is_dir() {
            songs.extend(song_in(&path, stems)?);
        } else {
            songs.extend(song_of_container(&path, stems));
        }
    }
    Ok(songs)
}

/// The song of a container, if its name is that of one and it holds at least one of `stems`.
fn song_of_container(path: &Path, stems: &[String]) -> Option<Song> {
    let name = container_name(path)?;
    let mut tracks: BTreeMap<String, StemFile> = container_stems(path).into_iter().collect();
    tracks.retain(|stem, _| stems.contains(stem));
    let mixture = StemFile {
        path: path.to_owned(),
        track: Some(0),
    };
    (!tracks.is_empty()).then(|| Song {
        name,
        folder: path.to_owned(),
        stems: tracks,
        mixture: Some(mixture),
    })
}

/// The song in `folder`, if it holds at least one of `stems`.
fn song_in(folder: &Path, stems: &[String]) -> Result<Option<Song>> {
    let mut files = BTreeMap::new();
    for path in list(folder)?.into_iter().filter(|path| path.is_file()) {
        let (Some(stem), Some(extension)) = (path.file_stem(), path.extension()) else {
            continue;
        };
        let extension = extension.to_string_lossy().to_lowercase();
        let Some(rank) = EXTENSIONS.iter().position(|known| **known == extension) else {
            continue;
        };
        let best = files
            .entry(stem.to_string_lossy().into_owned())
            .or_insert_with(|| (rank, path.clone()));
        if rank < best.0 {
            *best = (rank, path);
        }
    }
    let stems: BTreeMap<String, StemFile> = stems
        .iter()
        .filter_map(|name| {
            files
                .get(name)
                .map(|(_, path)| (name.clone(), StemFile::whole(path.clone())))
        })
        .collect();
    if stems.is_empty() {
        return Ok(None);
    }
    // `.` and `..` have no name of their own before they are resolved.
    let named = folder
        .canonicalize()
        .unwrap_or_else(|_| folder.to_path_buf());
    Ok(Some(Song {
        name: named.file_name().map_or_else(
            || "song".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        ),
        folder: folder.to_path_buf(),
        stems,
        mixture: files
            .remove("mixture")
            .map(|(_, path)| StemFile::whole(path)),
    }))
}

/// The visible entries of a folder, sorted by name.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder of songs {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Says what a folder without songs holds instead, above all the data sets one level below.
fn no_songs(root: &Path, stems: &[String]) -> Result<String> {
    /// More names than this do not help anybody.
    const SHOWN: usize = 12;
    let mut found = Vec::new();
    let mut deeper = None;
    let entries = list(root)?;
    for path in entries.iter().take(SHOWN) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !path.is_dir() {
            found.push(name.into_owned());
            continue;
        }
        match songs_below(path, stems).map_or(0, |songs| songs.len()) {
            0 => found.push(format!("{name}/")),
            songs => {
                let noun = if songs == 1 { "song" } else { "songs" };
                found.push(format!("{name}/ ({songs} {noun})"));
                deeper.get_or_insert_with(|| path.clone());
            }
        }
    }
    if entries.len() > SHOWN {
        found.push(format!("and {} more", entries.len() - SHOWN));
    }
    if found.is_empty() {
        found.push("nothing".to_owned());
    }
    let way_out = deeper.map_or_else(
        || {
            format!(
                "expected a folder per song, with one of {} in it, or files <song>{CONTAINER_SUFFIX}",
                file_names(stems)
            )
        },
        |path| format!("point at one of its parts, e.g. {}", path.display()),
    );
    Ok(format!(
        "no songs in {}: {way_out}; it holds {}",
        root.display(),
        found.join(", ")
    ))
}

fn file_names(stems: &[String]) -> String {
    let names: Vec<String> = stems.iter().map(|stem| format!("{stem}.wav")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
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
}
