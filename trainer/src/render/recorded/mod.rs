//! Recorded sound: single notes and strokes to play, and stems to cut excerpts from.
//!
//! Folders, and single files, are read by their names, whatever lies above them:
//!
//! | Name | Taken as |
//! |---|---|
//! | a folder `kit-*` | a drum kit: a subfolder per piece, a file per stroke |
//! | a folder `bass-*`, `guitar-*` | an instrument: a file per note, its name beginning with the note |
//! | a folder with files `bd_*`, `sn_*`, `hat_*` | drum sounds to choose a kit from |
//! | a file named, or below a folder named, `drums`, `bass`, `other`, `vocals` | a stem |
//!
//! Sounds are decoded when a song first needs them, and stay in memory.

mod excerpts;
mod licence;
mod pack;
mod pitch;
mod strokes;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use bunri_stream::{read_clip, resample_clip};

pub(crate) use excerpts::StemClip;
pub(crate) use pack::Pack;

use super::{
    compose::Stem,
    instruments::{RATE_HZ, Stereo, kit::Kit, sampler::Sampler},
};

const EXTENSIONS: [&str; 9] = [
    "wav", "flac", "aiff", "aif", "ogg", "mp3", "m4a", "mp4", "oga",
];

/// All recordings that songs may use.
#[derive(Clone, Default)]
pub(crate) struct Recordings {
    /// Drum kits.
    pub(crate) kits: Vec<Pack<Kit>>,
    /// Loose drum sounds.
    pub(crate) strokes: Vec<Pack<strokes::Strokes>>,
    /// Bass instruments.
    pub(crate) basses: Vec<Pack<Sampler>>,
    /// Guitars.
    pub(crate) guitars: Vec<Pack<Sampler>>,
    /// Stems.
    pub(crate) stems: Vec<StemClip>,
}

impl Recordings {
    /// Lists what lies below the folders, in an order that does not depend on the file system.
    ///
    /// # Errors
    /// If a folder cannot be read, or nothing in it is usable.
    pub(crate) fn discover(folders: &[PathBuf]) -> anyhow::Result<Self> {
        let mut found = Self::default();
        for folder in folders {
            let before = found.count();
            if folder.is_file() {
                found.stems.extend(StemClip::recognise(folder));
            } else {
                found.walk(folder)?;
            }
            anyhow::ensure!(
                found.count() > before,
                "no recordings in {}: expected folders named kit-*, bass-*, guitar-*, or files or \
                 folders named drums, bass, other, vocals",
                folder.display()
            );
        }
        Ok(found)
    }

    /// Recorded stems of one kind.
    pub(crate) fn clips(&self, stem: Stem) -> Vec<&StemClip> {
        self.stems.iter().filter(|clip| clip.stem == stem).collect()
    }

    fn count(&self) -> usize {
        self.kits.len()
            + self.strokes.len()
            + self.basses.len()
            + self.guitars.len()
            + self.stems.len()
    }

    fn walk(&mut self, folder: &Path) -> anyhow::Result<()> {
        let (folders, files) = list(folder)?;
        let name = lower_name(folder);
        if name.starts_with("kit-") {
            self.kits.push(Pack::new(folder, strokes::load_kit));
            return Ok(());
        }
        if !files.is_empty() && (name.starts_with("bass-") || below(folder, "bass-")) {
            self.basses.push(Pack::new(folder, pitch::load_instrument));
        } else if !files.is_empty() && name.starts_with("guitar-") {
            self.guitars.push(Pack::new(folder, pitch::load_instrument));
        } else if files
            .iter()
            .any(|file| strokes::piece_of(file) == Some(super::compose::Piece::Kick))
        {
            self.strokes.push(Pack::new(folder, strokes::load_strokes));
        } else {
            self.stems
                .extend(files.iter().filter_map(|file| StemClip::recognise(file)));
        }
        for folder in folders {
            self.walk(&folder)?;
        }
        Ok(())
    }
}

fn below(folder: &Path, prefix: &str) -> bool {
    folder
        .parent()
        .is_some_and(|parent| lower_name(parent).starts_with(prefix))
}

/// A path's last part without extension, in lower case.
fn lower_name(path: &Path) -> String {
    path.file_stem()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// Folders and audio files in a folder, each sorted.
fn list(folder: &Path) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("listing the recordings in {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let is_audio = |file: &PathBuf| {
        let extension = file
            .extension()
            .map(|extension| extension.to_string_lossy().to_lowercase());
        extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
    };
    Ok((folders, files.into_iter().filter(is_audio).collect()))
}

/// Decodes a file to 44.1 kHz stereo; mono plays on both sides, further channels are left out.
fn decode(path: &Path) -> anyhow::Result<Stereo> {
    let clip = read_clip(path).with_context(|| format!("reading {}", path.display()))?;
    let audio = resample_clip(&clip.audio, clip.rate_hz, RATE_HZ)
        .with_context(|| format!("resampling {}", path.display()))?;
    let mut channels = audio.into_channels().into_iter();
    let left = channels
        .next()
        .with_context(|| format!("{} has no channel", path.display()))?;
    let right = channels.next().unwrap_or_else(|| left.clone());
    Ok([left, right])
}

/// Cuts silence off the start and what has died down off the end, and fades the cut.
fn trim(audio: &mut Stereo, longest_s: f32) {
    let peak = super::mix::effects::peak(audio);
    let loud = |frame: usize, part: f32| audio.iter().any(|side| side[frame].abs() > peak * part);
    let frames = audio[0].len();
    let first = (0..frames)
        .find(|frame| loud(*frame, 0.02))
        .unwrap_or(0)
        .saturating_sub(40);
    let last = (first..frames)
        .rev()
        .find(|frame| loud(*frame, 0.001))
        .unwrap_or(frames);
    let end = last
        .min(first + (longest_s * RATE_HZ as f32) as usize)
        .min(frames);
    for side in audio.iter_mut() {
        side.truncate(end);
        side.drain(..first);
        let length = side.len();
        let fade = 800.min(length);
        for (index, sample) in side[length - fade..].iter_mut().enumerate() {
            *sample *= 1.0 - index as f32 / fade as f32;
        }
        side.iter_mut()
            .take(24)
            .enumerate()
            .for_each(|(index, sample)| {
                *sample *= index as f32 / 24.0;
            });
    }
}
