//! Songs on disk: a folder each, complete or absent.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use bunri_stream::{Encoding, FileWriter, Planar};

use super::song::{RenderedSong, song_name};

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

/// Whether the song is already there. A folder only gets its name once everything is in it.
pub(super) fn is_complete(folder: &Path) -> bool {
    folder.join("song.json").is_file()
}

/// Writes a song's stems, mixture and `song.json` into a hidden folder and renames that, so a
/// stopped run leaves no half-written song.
///
/// # Errors
/// If the disk refuses, with the path in question.
pub(super) fn write_song(song: &RenderedSong, out: &Path, format: Format) -> anyhow::Result<()> {
    let folder = out.join(&song.name);
    let hidden = out.join(format!(".{}.part", song.name));
    if hidden.exists() {
        fs::remove_dir_all(&hidden)
            .with_context(|| format!("clearing the unfinished {}", hidden.display()))?;
    }
    fs::create_dir_all(&hidden).with_context(|| format!("creating {}", hidden.display()))?;
    for (name, stem) in &song.stems {
        write_audio(&hidden, name, stem, song.rate_hz, format)?;
    }
    write_audio(&hidden, "mixture", &song.mixture(), song.rate_hz, format)?;
    let notes = serde_json::to_string_pretty(&song.notes)?;
    let path = hidden.join("song.json");
    fs::write(&path, notes).with_context(|| format!("writing {}", path.display()))?;
    if folder.exists() {
        // Left there by something else than this generator, or without its song.json.
        fs::remove_dir_all(&folder)
            .with_context(|| format!("replacing the incomplete {}", folder.display()))?;
    }
    fs::rename(&hidden, &folder).with_context(|| format!("naming {}", folder.display()))
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
