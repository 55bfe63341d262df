//! Songs on disk: a folder each, complete or absent.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use bunri_stream::{Encoding, FileWriter, Planar};

use serde::{Deserialize, Serialize};

use super::song::{RECIPE, RenderedSong, song_name};

/// The file that says what a song is; written last.
const NOTES: &str = "song.json";

/// File format of rendered stems; both hold 16 bits a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Compressed without loss, about half the size.
    #[default]
    Flac,
    /// Uncompressed.
    Wav,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::Flac => "flac",
            Format::Wav => "wav",
        }
    }

    fn encoding(self) -> Encoding {
        match self {
            Format::Flac => Encoding::Flac16,
            Format::Wav => Encoding::Wav16,
        }
    }
}

/// The folder of a seed's song.
pub(super) fn song_folder(out: &Path, seed: u64) -> PathBuf {
    out.join(song_name(seed))
}

/// What lies in a song's folder.
pub(super) enum State {
    /// Nothing, or something unfinished.
    Absent,
    /// The song.
    Complete,
    /// A finished song, but another one; how it differs.
    Other(String),
}

/// What `song.json` says, as far as others want to know.
#[derive(Debug, Deserialize)]
pub(super) struct SongFacts {
    /// The generator's version; the first one did not say.
    #[serde(default)]
    pub(super) recipe: u32,
    pub(super) seconds: f64,
    pub(super) genre: String,
    pub(super) tempo_bpm: f64,
    pub(super) sources: Vec<String>,
    #[serde(default)]
    pub(super) master: MasterFacts,
}

/// What `song.json` says about mastering.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MasterFacts {
    pub(super) loudness_lufs: Option<f64>,
}

/// What a finished song says about itself.
///
/// # Errors
/// If there is no `song.json`, or another one than this generator's.
pub(super) fn facts(folder: &Path) -> anyhow::Result<SongFacts> {
    let path = folder.join(NOTES);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
}

/// Whether the song is already there. A folder only gets its name once everything is in it.
pub(super) fn state(folder: &Path, seconds: f64) -> State {
    let Ok(facts) = facts(folder) else {
        return State::Absent;
    };
    if facts.recipe != RECIPE {
        return State::Other(format!(
            "it was rendered by version {} of the generator, and this is version {RECIPE}",
            facts.recipe.max(1)
        ));
    }
    if facts.seconds != seconds {
        return State::Other(format!(
            "it is {} s long, and {seconds} s were asked for",
            facts.seconds
        ));
    }
    State::Complete
}

/// Writes a song's stems, mixture and `song.json`, all or nothing.
///
/// # Errors
/// If the disk refuses, with the path in question.
pub(super) fn write_song(song: &RenderedSong, out: &Path, format: Format) -> anyhow::Result<()> {
    replace_folder(out, &song.name, |folder| {
        for (name, stem) in &song.stems {
            write_audio(folder, name, stem, song.rate_hz, format)?;
        }
        write_audio(folder, "mixture", &song.mixture(), song.rate_hz, format)?;
        write_notes(&folder.join(NOTES), &song.notes)
    })
}

/// Lets `fill` fill a hidden folder and gives it its name, so that a stopped run leaves no
/// half-filled one.
///
/// # Errors
/// If the disk refuses, with the path in question.
pub(super) fn replace_folder(
    out: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = out.join(name);
    let hidden = out.join(format!(".{name}.part"));
    if hidden.exists() {
        fs::remove_dir_all(&hidden)
            .with_context(|| format!("clearing the unfinished {}", hidden.display()))?;
    }
    fs::create_dir_all(&hidden).with_context(|| format!("creating {}", hidden.display()))?;
    fill(&hidden)?;
    if folder.exists() {
        // Left there by something else than this generator, or without its song.json.
        fs::remove_dir_all(&folder)
            .with_context(|| format!("replacing the incomplete {}", folder.display()))?;
    }
    fs::rename(&hidden, &folder).with_context(|| format!("naming {}", folder.display()))
}

/// Writes what a song says of itself.
///
/// # Errors
/// If the disk refuses.
pub(super) fn write_notes(path: &Path, notes: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(notes)?;
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn write_audio(
    folder: &Path,
    name: &str,
    audio: &Planar,
    rate_hz: u32,
    format: Format,
) -> anyhow::Result<()> {
    let path = folder.join(name).with_extension(format.extension());
    let write = || -> Result<(), bunri_stream::FileError> {
        let mut writer = FileWriter::create(&path, rate_hz, 2, format.encoding())?;
        writer.write(audio)?;
        writer.finish()?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", path.display()))
}
