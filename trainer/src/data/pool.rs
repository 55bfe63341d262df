//! The songs of a training, decoded on disk, ready to be cut into segments.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use bunri_stream::Planar;
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::damage::MAX_MISSING;
use super::plan::{Rest, SongPlan, decode_all};
use super::songs::{Ignored, MIXTURE, Song, discover, discover_songs};
use super::track::Track;

/// One folder of songs and what of it may be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SongSource {
    /// Folder with one folder per song: see [`discover_songs`].
    pub path: PathBuf,
    /// Only these songs; all where left out.
    #[serde(default)]
    pub songs: Option<Vec<String>>,
    /// Only these stems of them: the others are not what their label says, and are kept out of
    /// mixing and loss. All where left out.
    #[serde(default)]
    pub stems: Option<Vec<String>>,
    /// Stems that none of these songs has, e.g. the vocals of instrumental music. Songs of which
    /// that is known need no stems: `mixture.*` is enough. Part of the examples get such a stem from
    /// another song: see [`AugmentConfig::guest`](super::augment::AugmentConfig::guest).
    #[serde(default)]
    pub absent: Vec<String>,
    /// How often this source is drawn from, relative to the others.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// Root mean square over all samples.
#[must_use]
pub fn rms(audio: &Planar) -> f32 {
    let squares: f64 = audio
        .channels()
        .flatten()
        .map(|&x| f64::from(x) * f64::from(x))
        .sum();
    (squares / (audio.channel_count() * audio.frames()).max(1) as f64).sqrt() as f32
}

/// What is known of a stem of a song.
#[derive(Clone, Debug)]
pub enum Stem<T> {
    /// What it sounds like.
    Known(T),
    /// That it does not sound.
    Absent,
    /// Nothing: it has no file, or its label is not to be trusted.
    Unknown,
}

impl<T> Stem<T> {
    /// What it sounds like, where that is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(sound) => Some(sound),
            Self::Absent | Self::Unknown => None,
        }
    }
}

/// A song's tracks, one slot per stem of the model.
#[derive(Debug)]
pub struct PooledSong {
    /// Folder name.
    pub name: String,
    /// One per stem, in the model's order.
    pub stems: Vec<Stem<Track>>,
    /// What else sounds in the song; `None` where nobody knows, so that its stems are good for
    /// remixing only.
    pub rest: Option<Rest>,
    /// The source's weight, shared out among its songs.
    pub weight: f64,
    /// Length of the longest known stem, in frames; of the mixture, if that is shorter and the
    /// rest follows from it, or if no stem is known.
    pub frames: usize,
}

impl PooledSong {
    /// The stems that end long before the song: they count as silent there.
    fn cut_stems(&self, names: &[String]) -> Vec<String> {
        let stems = names.iter().zip(&self.stems);
        let known = stems.filter_map(|(name, stem)| Some((name, stem.known()?)));
        let cut = known.filter(|(_, track)| {
            let missing = self.frames.saturating_sub(track.frames());
            missing as f64 > MAX_MISSING * self.frames as f64
        });
        cut.map(|(name, track)| {
            let rate_hz = f64::from(track.rate_hz());
            format!(
                "song {:?}: {name} ends after {:.1} of {:.1} s and is silent from there on: was it cut \
                 off?",
                self.name,
                track.frames() as f64 / rate_hz,
                self.frames as f64 / rate_hz,
            )
        })
        .collect()
    }
}

/// All songs of some sources, decoded.
#[derive(Debug)]
pub struct Pool {
    /// The songs, by source and name.
    pub songs: Vec<PooledSong>,
    /// Frames per second of every song.
    pub rate_hz: u32,
    /// Songs that are left out, each with the reason.
    pub skipped: Vec<String>,
    /// What is odd about the files of the others.
    pub warnings: Vec<String>,
}

impl Pool {
    /// Decodes every usable stem of every source into the cache, as far as it is not there yet, on
    /// all cores; tells `progress` a file's name at least once a second. Memory does not grow with the songs.
    ///
    /// Songs that cannot be read are left out and listed in `skipped`; if `strict`, they are errors.
    ///
    /// # Errors
    /// A source without songs, or none that can be read; an unknown song or stem name; a cache that
    /// fails.
    pub fn load(
        sources: &[SongSource],
        stems: &[String],
        cache: &Cache,
        strict: bool,
        mut progress: impl FnMut(&str),
    ) -> Result<Self> {
        let (mut plans, mut warnings) = (Vec::new(), Vec::new());
        for source in sources {
            warnings.extend(ignored(source, stems)?);
            let found = SongPlan::of(source, stems)?;
            // Before any is left out: one that cannot be read makes the others no more frequent
            // than a source of as many songs is.
            let weight = source.weight / found.len() as f64;
            plans.extend(found.into_iter().map(|plan| (plan, weight)));
        }
        let files = plans.iter().flat_map(|(plan, _)| plan.files()).collect();
        let decoded = decode_all(files, cache, &mut progress)?;
        warnings.extend(decoded.iter().filter_map(|(file, track)| {
            let warning = track.as_ref().ok()?.warning()?;
            Some(format!("{file}: {warning}"))
        }));
        let (mut songs, mut skipped) = (Vec::new(), Vec::new());
        for (plan, weight) in plans {
            match plan.assemble(&decoded, weight) {
                Ok(song) => {
                    warnings.extend(song.cut_stems(stems));
                    songs.push(song);
                }
                Err(reason) if strict => return Err(reason),
                Err(reason) => skipped.push(format!("left out {reason:#}")),
            }
        }
        ensure!(
            !songs.is_empty(),
            "none of the {} songs can be used: {}",
            skipped.len(),
            skipped.first().map_or("", String::as_str)
        );
        Ok(Self {
            songs,
            rate_hz: cache.rate_hz(),
            skipped,
            warnings,
        })
    }
}

/// What looks like a song or a stem of a source and is not read.
fn ignored(source: &SongSource, stems: &[String]) -> Result<Vec<String>> {
    let found = discover(&source.path, &files_of(source, stems))?.ignored;
    let is_chosen = |song| {
        source
            .songs
            .as_ref()
            .is_none_or(|songs| songs.contains(song))
    };
    let ignored = found.iter().filter(|ignored| is_chosen(&ignored.song));
    Ok(ignored.map(Ignored::to_string).collect())
}

/// The files that a source's songs may have.
fn files_of(source: &SongSource, stems: &[String]) -> Vec<String> {
    // Where a stem is known to be absent, a song may be nothing but its mixture.
    let mixture = (!source.absent.is_empty()).then(|| MIXTURE.to_owned());
    stems.iter().cloned().chain(mixture).collect()
}

/// The songs of a source with only those stems left that it allows.
///
/// # Errors
/// No song, or a name in the source's lists that does not exist.
pub fn usable_songs(source: &SongSource, stems: &[String]) -> Result<Vec<Song>> {
    ensure!(
        source.weight > 0.0,
        "{}: weight must be above 0",
        source.path.display()
    );
    let mut named = source.stems.iter().flatten().chain(&source.absent);
    if let Some(unknown) = named.find(|stem| !stems.contains(stem)) {
        bail!(
            "{}: the model has no stem {unknown:?}, only {stems:?}",
            source.path.display()
        );
    }
    let mut songs = discover_songs(&source.path, &files_of(source, stems))?;
    if let Some(names) = &source.songs {
        if let Some(missing) = names
            .iter()
            .find(|name| songs.iter().all(|song| song.name != **name))
        {
            bail!("{} has no song {missing:?}", source.path.display());
        }
        songs.retain(|song| names.contains(&song.name));
    }
    if let Some(usable) = &source.stems {
        for song in &mut songs {
            song.stems.retain(|stem, _| usable.contains(stem));
        }
    }
    for song in &mut songs {
        song.stems.remove(MIXTURE);
        let contradiction = source.absent.iter().find(|&stem| song.stem(stem).is_some());
        if let Some(stem) = contradiction {
            bail!(
                "song {:?} has a file of {stem:?}, but that is said to be absent in {}",
                song.name,
                source.path.display()
            );
        }
    }
    Ok(songs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures::{RATE_HZ, noise, write};

    /// Guards against one bad file that ends a training of thousands, and against one that is left
    /// out in silence.
    #[test]
    fn songs_that_cannot_be_read_are_named_and_left_out_unless_strict() {
        let root = tempfile::tempdir().unwrap();
        for song in ["good", "bad"] {
            let file = root.path().join("songs").join(song).join("drums.wav");
            write(&file, &noise(1_000, 1, 0.1));
        }
        let bad = root.path().join("songs/bad/drums.wav");
        std::fs::write(&bad, b"no audio at all").unwrap();
        let sources = [SongSource {
            path: root.path().join("songs"),
            songs: None,
            stems: None,
            absent: Vec::new(),
            weight: 1.0,
        }];
        let cache = Cache::new(&root.path().join("cache"), RATE_HZ).unwrap();
        let load = |strict| Pool::load(&sources, &["drums".into()], &cache, strict, |_| {});
        let pool = load(false).unwrap();
        assert_eq!(pool.songs.len(), 1);
        assert_eq!(pool.songs[0].name, "good");
        assert!(
            pool.skipped[0].contains("\"bad\"") && pool.skipped[0].contains("drums.wav"),
            "{:?}",
            pool.skipped
        );
        assert!(load(true).is_err());
        std::fs::remove_dir_all(root.path().join("songs/good")).unwrap();
        let message = format!("{:#}", load(false).unwrap_err());
        assert!(message.contains("none of the 1 songs"), "{message}");
    }
}
