//! Songs with known stems, as they lie on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::stem_file::{CONTAINER_SUFFIXES, StemFile, container_name, container_stems};
use super::stem_name::{is_same, resembles};

/// Audio files that are looked for, by extension; where a stem exists twice, the first one wins. What
/// the reader cannot decode is among them, so that it is named instead of passed over.
const EXTENSIONS: [&str; 19] = [
    "wav", "flac", "aiff", "aif", "rf64", "w64", "caf", "wv", "ape", "ogg", "oga", "opus", "mp3",
    "m4a", "mp4", "aac", "mka", "webm", "wma",
];

/// The stem that every song may have beside those of a model.
pub(super) const MIXTURE: &str = "mixture";

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

/// Something that looks like a song or a stem, and is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The song that it belongs to, or would be.
    pub song: String,
    /// Where that lies.
    pub folder: PathBuf,
    /// What is not read.
    pub path: PathBuf,
    /// Why, and what to do.
    pub why: String,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not read: {}", self.path.display(), self.why)
    }
}

/// What a folder of songs holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// The songs, sorted by name.
    pub songs: Vec<Song>,
    /// What looks like a part of them.
    pub ignored: Vec<Ignored>,
}

/// The songs of [`discover`] alone.
///
/// # Errors
/// As [`discover`].
pub fn discover_songs(root: &Path, stems: &[String]) -> Result<Vec<Song>> {
    Ok(discover(root, stems)?.songs)
}

/// Finds every song in `root` that has at least one of `stems`, sorted by name.
///
/// The layout is MUSDB18-HQ's, `root/<song>/{mixture,drums,bass,other,vocals}.wav`, with any usual
/// audio format, names in upper or lower case and the mixture optional; or MUSDB18's,
/// `root/<song>.stem.mp4` (or `.stem.m4a`), with mixture and stems as tracks of one file. Only `root`
/// itself is looked at: a data set divided into `train` and `test` is two roots. A folder that holds
/// stems itself is a root of one song, as is one container. A link to a file that is not there is a
/// stem that cannot be read, not a missing one.
///
/// # Errors
/// When the folder cannot be read, or holds no song; the message then says what it does hold.
pub fn discover(root: &Path, stems: &[String]) -> Result<Discovered> {
    let mut found = Discovered::default();
    if root.is_file() && container_name(root).is_some() {
        found.take_container(root, stems);
    } else if !found.take_folder(root, stems)? {
        found = songs_below(root, stems)?;
    }
    if found.songs.is_empty() {
        bail!("{}", no_songs(root, stems)?);
    }
    Ok(found)
}

/// The songs that are folders of `root`, or containers in it.
fn songs_below(root: &Path, stems: &[String]) -> Result<Discovered> {
    let mut found = Discovered::default();
    for path in list(root)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_like_container = || {
            let name = name.to_lowercase();
            name.contains(".stem") && (name.ends_with(".mp4") || name.ends_with(".m4a"))
        };
        if path.is_dir() {
            if !found.take_folder(&path, stems)? {
                found.ignore_folder(&path, stems)?;
            }
        } else if container_name(&path).is_some() {
            found.take_container(&path, stems);
        } else if is_dead_link(&path) {
            found.ignore(&path, &path, "it is a link to what is not there".to_owned());
        } else if is_like_container() {
            let [suffix, _] = CONTAINER_SUFFIXES;
            found.ignore(&path, &path, format!("a song's name ends with {suffix}"));
        }
    }
    Ok(found)
}

impl Discovered {
    fn ignore(&mut self, folder: &Path, path: &Path, why: String) {
        self.ignored.push(Ignored {
            song: name_of(folder),
            folder: folder.to_owned(),
            path: path.to_owned(),
            why,
        });
    }

    /// Takes the song of a container, if it has at least one of `stems`.
    fn take_container(&mut self, path: &Path, stems: &[String]) {
        let mut tracks: BTreeMap<String, StemFile> = container_stems(path).into_iter().collect();
        let names = Vec::from_iter(tracks.keys().cloned()).join(", ");
        tracks.retain(|stem, _| stems.contains(stem));
        if tracks.is_empty() {
            let why = format!("its stems are {names}, none of {}", stems.join(", "));
            return self.ignore(path, path, why);
        }
        self.songs.push(Song {
            name: container_name(path).unwrap_or_default(),
            folder: path.to_owned(),
            stems: tracks,
            mixture: Some(StemFile {
                path: path.to_owned(),
                track: Some(0),
            }),
        });
    }

    /// Takes the song in `folder`; `false` if it holds none of `stems`.
    fn take_folder(&mut self, folder: &Path, stems: &[String]) -> Result<bool> {
        let files = files_in(folder)?;
        let chosen = |name: &str| {
            let named = files.iter().filter(|file| is_same(&file.stem, name));
            let readable = named.filter(|file| file.rank.is_some() && !file.path.is_dir());
            readable.min_by_key(|file| (file.stem != name, file.rank))
        };
        let file = |name: &str| chosen(name).map(|file| StemFile::whole(file.path.clone()));
        let found = stems
            .iter()
            .filter_map(|name| Some((name.clone(), file(name)?)));
        let song = Song {
            name: name_of(folder),
            folder: folder.to_path_buf(),
            stems: found.collect(),
            mixture: file(MIXTURE),
        };
        if song.stems.is_empty() {
            return Ok(false);
        }
        let names = stems.iter().map(String::as_str).chain([MIXTURE]);
        let names: BTreeSet<&str> = names.collect();
        for file in &files {
            let is_read = |name: &&str| chosen(name).is_some_and(|read| read.path == file.path);
            if names.iter().any(is_read) {
                continue;
            }
            let why = names
                .iter()
                .find_map(|name| file.why_ignored(name, chosen(name)));
            if let Some(why) = why {
                self.ignore(folder, &file.path, why);
            }
        }
        self.songs.push(song);
        Ok(true)
    }

    /// Notes a folder that holds audio, and none of it under a stem's name.
    fn ignore_folder(&mut self, folder: &Path, stems: &[String]) -> Result<()> {
        let files = files_in(folder)?;
        let audio = files.iter().filter(|file| file.rank.is_some());
        let names: Vec<String> = audio.map(|file| file_name(&file.path)).collect();
        if !names.is_empty() {
            let why = format!(
                "it holds {} and none of {}",
                names.join(", "),
                file_names(stems)
            );
            self.ignore(folder, folder, why);
        }
        Ok(())
    }
}

/// A file in a song's folder.
struct Candidate {
    path: PathBuf,
    /// Its name without the extension.
    stem: String,
    /// Place of its extension in [`EXTENSIONS`].
    rank: Option<usize>,
}

impl Candidate {
    /// Why it is not read as `name`, if that is what it seems to be. `read` is what is.
    fn why_ignored(&self, name: &str, read: Option<&Self>) -> Option<String> {
        let is_audio = self.rank.is_some();
        match read {
            // The same name in another format needs no word.
            Some(read) => (is_audio && is_same(&self.stem, name) && self.stem != read.stem)
                .then(|| format!("{} is the {name}", file_name(&read.path))),
            None if self.path.is_dir() && is_audio && resembles(&self.stem, name) => {
                Some("it is a folder".to_owned())
            }
            None if is_audio && resembles(&self.stem, name) => {
                let extension = self.path.extension().unwrap_or_default().to_string_lossy();
                Some(format!("if it is the {name}, call it {name}.{extension}"))
            }
            None => (is_same(&self.stem, name) && !self.path.is_dir())
                .then(|| format!("expected one of {}", EXTENSIONS.join(", "))),
        }
    }
}

/// Everything in a folder that may be a stem.
fn files_in(folder: &Path) -> Result<Vec<Candidate>> {
    let candidate = |path: PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let extension = extension.to_lowercase();
        Candidate {
            rank: EXTENSIONS.iter().position(|known| *known == extension),
            stem: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            path,
        }
    };
    // Whoever opens a pipe or a device waits.
    let is_file = |path: &PathBuf| path.is_file() || path.is_dir() || is_dead_link(path);
    Ok(list(folder)?
        .into_iter()
        .filter(is_file)
        .map(candidate)
        .collect())
}

/// A link whose end is not there, or in a circle.
fn is_dead_link(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

/// A song's name: that of its folder, at the end of links.
fn name_of(folder: &Path) -> String {
    // `.` and `..` have no name of their own before they are resolved.
    let resolved = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    match resolved.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "song".to_owned(),
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
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
        match songs_below(path, stems).map_or(0, |found| found.songs.len()) {
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
                "expected a folder per song, with one of {} in it, or files <song>{}",
                file_names(stems),
                CONTAINER_SUFFIXES[0]
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
mod tests;
