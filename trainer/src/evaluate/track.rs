//! One song in memory, with every file at one rate, one length and two channels.

use anyhow::{Context, Result, anyhow, ensure};
use bunri_stream::files::to_stereo;
use bunri_stream::{Planar, resample_clip};

use crate::data::songs::Song;
use crate::data::stem_file::StemFile;

/// A song and its truth.
#[derive(Debug)]
pub struct Track {
    /// Frames per second of everything in here: that of the mixture file, or of the first stem.
    pub rate_hz: u32,
    /// What is to be separated, `[2][frames]`.
    pub mixture: Planar,
    /// The stems that have a file, by name, `[2][frames]` each.
    pub stems: Vec<(String, Planar)>,
    /// Whether the mixture is a file of its own; if not, it is the sum of the stems.
    pub own_mixture: bool,
}

impl Track {
    /// Reads all files of a song. Files at other rates are converted; shorter ones are filled up
    /// with silence (lossy copies of one length seldom keep it), longer ones cut to the mixture
    /// file's length.
    ///
    /// # Errors
    /// When a file cannot be read, or has more than two channels.
    pub fn load(song: &Song) -> Result<Self> {
        let mut rate_hz = None;
        let mixture = song
            .mixture
            .as_ref()
            .map(|file| stereo(file, &mut rate_hz))
            .transpose()?;
        let mut stems = Vec::new();
        for (name, file) in &song.stems {
            stems.push((name.clone(), stereo(file, &mut rate_hz)?));
        }
        let longest = stems
            .iter()
            .map(|(_, stem)| stem.frames())
            .max()
            .unwrap_or(0);
        let frames = mixture.as_ref().map_or(longest, Planar::frames);
        stems
            .iter_mut()
            .for_each(|(_, stem)| stem.resize_frames(frames));
        let own_mixture = mixture.is_some();
        let mixture = mixture.unwrap_or_else(|| {
            let mut sum = Planar::zeros(2, frames);
            stems.iter().for_each(|(_, stem)| sum.add(stem));
            sum
        });
        ensure!(frames > 0, "{} holds no audio", song.folder.display());
        let rate_hz = rate_hz.context("a song has at least one stem")?;
        Ok(Self {
            rate_hz,
            mixture,
            stems,
            own_mixture,
        })
    }

    /// Length in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.mixture.frames() as f64 / f64::from(self.rate_hz)
    }

    /// What sounds in the mixture and in none of the stems. `None` where the mixture is their sum.
    #[must_use]
    pub fn unlabelled(&self) -> Option<Planar> {
        self.own_mixture.then(|| {
            let mut rest = self.mixture.clone();
            for (_, stem) in &self.stems {
                for (rest, stem) in rest.channels_mut().zip(stem.channels()) {
                    rest.iter_mut()
                        .zip(stem)
                        .for_each(|(rest, stem)| *rest -= stem);
                }
            }
            rest
        })
    }
}

/// A file as stereo, at `rate_hz`, or setting it if it is the first one.
fn stereo(file: &StemFile, rate_hz: &mut Option<u32>) -> Result<Planar> {
    let clip = file.read().with_context(|| format!("cannot read {file}"))?;
    let audio = to_stereo(clip.audio).map_err(|audio| {
        let channels = audio.channel_count();
        anyhow!("{file} has {channels} channels, stems have one or two")
    })?;
    let rate_hz = *rate_hz.get_or_insert(clip.rate_hz);
    resample_clip(&audio, clip.rate_hz, rate_hz).with_context(|| format!("cannot convert {file}"))
}
