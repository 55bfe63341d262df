//! Decoded stems in memory, ready to be cut into segments.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use bunri_stream::Planar;
use bunri_stream::files::{Clip, to_stereo};
use bunri_stream::resample_clip;
use serde::{Deserialize, Serialize};

use super::songs::{Song, discover_songs};
use super::stem_file::StemFile;

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
    /// How often this source is drawn from, relative to the others.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// One stem of one song, stereo, as 16-bit integers: half the memory, noise at -98 dBFS.
#[derive(Debug)]
pub struct Track {
    /// Interleaved by channel: `[channel][frame]`.
    channels: Vec<Vec<i16>>,
    /// Whether each second holds sound (RMS above -60 dBFS), for drawing audible segments.
    audible_seconds: Vec<bool>,
    rate_hz: u32,
}

impl Track {
    fn new(audio: &Planar, rate_hz: u32) -> Self {
        let quantise = |sample: &f32| (sample * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16;
        let second = rate_hz as usize;
        let audible_seconds = (0..audio.frames().div_ceil(second))
            .map(|i| {
                let frames = second.min(audio.frames() - i * second);
                rms(&audio.slice(i * second, frames)) > 1e-3
            })
            .collect();
        let channels = audio
            .channels()
            .map(|c| c.iter().map(quantise).collect())
            .collect();
        Self {
            channels,
            audible_seconds,
            rate_hz,
        }
    }

    /// Length in frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// Sample rate in Hz.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// A copy of `frames` frames from `start`; what lies beyond the end is silence.
    #[must_use]
    pub fn segment(&self, start: usize, frames: usize) -> Planar {
        let mut segment = Planar::zeros(self.channels.len(), frames);
        for (from, to) in self.channels.iter().zip(segment.channels_mut()) {
            let from = from.get(start..).unwrap_or_default();
            for (sample, value) in to.iter_mut().zip(from) {
                *sample = f32::from(*value) / 32_767.0;
            }
        }
        segment
    }

    /// Whether any second that the range touches holds sound.
    #[must_use]
    pub fn is_audible(&self, start: usize, frames: usize) -> bool {
        let second = self.rate_hz as usize;
        let range = start / second
            ..(start + frames)
                .div_ceil(second)
                .min(self.audible_seconds.len());
        self.audible_seconds
            .get(range)
            .is_some_and(|seconds| seconds.iter().any(|&audible| audible))
    }
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

/// A song's tracks, one slot per stem of the model; `None` where it must not be used.
#[derive(Debug)]
pub struct PooledSong {
    /// Folder name.
    pub name: String,
    /// One per stem, in the model's order.
    pub stems: Vec<Option<Track>>,
    /// The source's weight, shared out among its songs.
    pub weight: f64,
    /// Length of the longest usable stem, in frames.
    pub frames: usize,
}

/// All songs of some sources, decoded.
#[derive(Debug)]
pub struct Pool {
    /// The songs, by source and name.
    pub songs: Vec<PooledSong>,
}

impl Pool {
    /// Decodes every usable stem of every source at `rate_hz`, telling `progress` each song's name.
    ///
    /// # Errors
    /// A source without songs, an unknown song or stem name, a file that does not decode: with the
    /// file's name.
    pub fn load(
        sources: &[SongSource],
        stems: &[String],
        rate_hz: u32,
        mut progress: impl FnMut(&str),
    ) -> Result<Self> {
        let mut pooled = Vec::new();
        for source in sources {
            let songs = usable_songs(source, stems)?;
            let weight = source.weight / songs.len() as f64;
            for song in songs {
                progress(&song.name);
                let tracks = stems
                    .iter()
                    .map(|stem| {
                        song.stem(stem)
                            .map(|file| load_track(file, rate_hz))
                            .transpose()
                    })
                    .collect::<Result<Vec<_>>>()?;
                let frames = tracks
                    .iter()
                    .flatten()
                    .map(Track::frames)
                    .max()
                    .unwrap_or(0);
                ensure!(frames > 0, "song {} holds no audio", song.folder.display());
                pooled.push(PooledSong {
                    name: song.name,
                    stems: tracks,
                    weight,
                    frames,
                });
            }
        }
        Ok(Self { songs: pooled })
    }
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
    if let Some(unknown) = source
        .stems
        .iter()
        .flatten()
        .find(|stem| !stems.contains(stem))
    {
        bail!(
            "{}: the model has no stem {unknown:?}, only {stems:?}",
            source.path.display()
        );
    }
    let mut songs = discover_songs(&source.path, stems)?;
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
    Ok(songs)
}

/// Reads a stem or mixture in stereo at `rate_hz`.
///
/// # Errors
/// If the file does not decode; with its name.
pub fn load_stereo(file: &StemFile, rate_hz: u32) -> Result<Planar> {
    let Clip {
        rate_hz: file_rate_hz,
        audio,
    } = file.read().with_context(|| format!("reading {file}"))?;
    let audio = to_stereo(audio).map_err(|audio| {
        let channels = audio.channel_count();
        anyhow::anyhow!("{file} has {channels} channels, expected mono or stereo")
    })?;
    Ok(if file_rate_hz == rate_hz {
        audio
    } else {
        resample_clip(&audio, file_rate_hz, rate_hz)?
    })
}

fn load_track(file: &StemFile, rate_hz: u32) -> Result<Track> {
    Ok(Track::new(&load_stereo(file, rate_hz)?, rate_hz))
}
