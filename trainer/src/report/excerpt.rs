//! A few seconds of a validation song, separated by a run's best weights, for the ear.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bunri_model::DeviceChoice;
use bunri_stream::{HostOptions, OfflineSeparator, Planar};
use serde_json::Value;

use super::run::Run;
use crate::data::songs::{Song, discover_songs};
use crate::evaluate::track::Track;
use crate::model::Model;
use crate::stream_args::StreamArgs;

/// Seconds that are kept.
const SECONDS: f64 = 6.0;

/// What is heard of one run.
#[derive(Debug)]
pub struct Excerpt {
    /// The song, and where in it.
    pub of: String,
    /// Of all clips.
    pub rate_hz: u32,
    /// The song itself.
    pub mixture: Planar,
    /// By name: the true stem where there is one, and the model's.
    pub stems: Vec<(String, Option<Planar>, Planar)>,
}

impl Excerpt {
    /// Separates the middle of the seconds in which most is going on, of the first validation song of
    /// the run's config, or of the song in `folder`.
    ///
    /// # Errors
    /// No `best.safetensors`, or no song.
    pub fn of(run: &Run, folder: Option<&Path>, device: DeviceChoice) -> Result<Self> {
        let best = run.folder.join("best.safetensors");
        let model = Model::load(&best, device, StreamArgs::default())?;
        let names = &model.spec().stems;
        let song = match folder {
            Some(folder) => song_in(folder, names)?,
            None => validation_song(run, names)?,
        };
        // To listen to: whatever is there.
        let (track, _) = Track::load(&song, 1.0)?;
        let (rate_hz, frames) = (track.rate_hz, track.mixture.frames());
        let length = ((SECONDS * f64::from(rate_hz)) as usize).min(frames);
        let start = liveliest(&track, length);
        // What comes before and after belongs to what a model hears.
        let margin = length.min(start);
        let end = (start + 2 * length).min(frames);
        let heard = track.mixture.slice(start - margin, end - (start - margin));
        let mut separator =
            OfflineSeparator::new(model.separator()?, rate_hz, HostOptions::default())?;
        let mut estimates = Vec::new();
        separator.push(&heard, &mut estimates)?;
        separator.finish(&mut estimates)?;
        let stems = names.iter().zip(&estimates).map(|(name, estimate)| {
            let truth = track.stems.iter().find(|(stem, _)| stem == name);
            let truth = truth.map(|(_, truth)| truth.slice(start, length));
            (name.clone(), truth, estimate.slice(margin, length))
        });
        Ok(Self {
            of: format!("{}, from {} s", song.name, start / rate_hz as usize),
            rate_hz,
            mixture: track.mixture.slice(start, length),
            stems: stems.collect(),
        })
    }
}

/// Where the quietest of the song's stems is loudest: all of them can be heard there. A stem that is
/// silent throughout is not asked.
fn liveliest(track: &Track, length: usize) -> usize {
    let second = track.rate_hz as usize;
    let frames = track.mixture.frames();
    let energies_of = |stem: &Planar| -> Vec<f64> {
        let energy = |start: usize| -> f64 {
            let end = (start + second).min(frames);
            let part = stem.channels().flat_map(|channel| &channel[start..end]);
            part.map(|x| f64::from(*x).powi(2)).sum()
        };
        (0..frames).step_by(second).map(energy).collect()
    };
    let stems: Vec<Vec<f64>> = track
        .stems
        .iter()
        .map(|(_, stem)| energies_of(stem))
        .filter(|energies| energies.iter().any(|energy| *energy > 0.0))
        .collect();
    let seconds = length.div_ceil(second);
    let quietest = |first: usize| {
        let energies = stems
            .iter()
            .map(|stem| stem[first..(first + seconds).min(stem.len())].iter().sum());
        energies.fold(f64::INFINITY, f64::min)
    };
    (0..=(frames - length) / second)
        .map(|first| (first, quietest(first)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map_or(0, |(first, _)| first * second)
}

fn validation_song(run: &Run, stems: &[String]) -> Result<Song> {
    let sources = run
        .config()
        .and_then(|config| config.pointer("/data/valid"));
    let source = sources
        .and_then(|sources| sources.get(0))
        .context("the run's config names no validation songs: choose one by --song")?;
    let path = source["path"].as_str().map(PathBuf::from);
    let path = path.context("the validation songs have no path")?;
    let chosen = |song: &Song| match &source["songs"] {
        Value::Array(names) => names.iter().any(|name| *name == song.name.as_str()),
        _ => true,
    };
    let songs = discover_songs(&path, stems)?;
    let first = songs.into_iter().find(chosen);
    first.with_context(|| format!("{} holds none of the validation songs", path.display()))
}

fn song_in(folder: &Path, stems: &[String]) -> Result<Song> {
    let parent = folder.parent().context("--song: a song's folder")?;
    let songs = discover_songs(parent, stems)?;
    let found = songs.into_iter().find(|song| song.folder == folder);
    found.with_context(|| format!("--song {}: no stems in it", folder.display()))
}
