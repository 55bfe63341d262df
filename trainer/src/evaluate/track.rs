//! One song in memory, with every file at one rate, one length and two channels.

use anyhow::{Context, Result, anyhow, ensure};
use bunri_stream::files::to_stereo;
use bunri_stream::{Planar, resample_clip};

use crate::data::damage::{TOLERANCE_SECONDS, invalid_samples, refuse_incomplete, silence_invalid};
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
    /// Reads all files of a song, and says what is odd about them. Files at other rates are converted;
    /// shorter ones are filled up with silence (lossy copies of one length seldom keep it), longer ones
    /// cut to the mixture file's length. Invalid samples become silence.
    ///
    /// # Errors
    /// A file cannot be read, is damaged, has more than two channels, or ends before `max_missing` of
    /// the longest one is left: silence would be scored in place of a stem.
    pub fn load(song: &Song, max_missing: f64) -> Result<(Self, Vec<String>)> {
        let (mut rate_hz, mut warnings) = (None, Vec::new());
        let mut read = |file| stereo(file, &mut rate_hz, &mut warnings);
        let mixture = song.mixture.as_ref().map(&mut read).transpose()?;
        let mut stems = Vec::new();
        for (name, file) in &song.stems {
            stems.push((name.clone(), read(file)?));
        }
        let rate_hz = rate_hz.context("a song has at least one stem")?;
        let named = stems.iter().map(|(name, audio)| (name.as_str(), audio));
        let named: Vec<_> = named
            .chain(mixture.iter().map(|x| ("mixture", x)))
            .collect();
        warnings.extend(check_lengths(&named, rate_hz, max_missing)?);
        let longest = stems.iter().map(|(_, stem)| stem.frames()).max();
        let frames = mixture
            .as_ref()
            .map_or(longest.unwrap_or(0), Planar::frames);
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
        let track = Self {
            rate_hz,
            mixture,
            stems,
            own_mixture,
        };
        Ok((track, warnings))
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

/// The files that are shorter than the longest one, a sentence each.
///
/// # Errors
/// The first that lacks more than `max_missing` of it.
fn check_lengths(files: &[(&str, &Planar)], rate_hz: u32, max_missing: f64) -> Result<Vec<String>> {
    let seconds = |audio: &Planar| audio.frames() as f64 / f64::from(rate_hz);
    let longest = files.iter().map(|(_, audio)| seconds(audio));
    let longest = longest.fold(0.0, f64::max);
    let mut warnings = Vec::new();
    for (name, audio) in files {
        let missing = longest - seconds(audio);
        if missing <= TOLERANCE_SECONDS {
            continue;
        }
        ensure!(
            missing <= max_missing * longest,
            "{name} ends after {:.1} of {longest:.1} s: it was cut off; replace it, or score silence in \
             its place with --allow-short",
            seconds(audio)
        );
        warnings.push(match *name {
            "mixture" => format!("the mixture ends {missing:.1} s before its stems, which are cut"),
            _ => format!("{name} ends {missing:.1} s before the song and is padded with silence"),
        });
    }
    Ok(warnings)
}

/// A file as stereo, at `rate_hz`, or setting it if it is the first one. `warnings` hears about samples
/// that were replaced.
///
/// # Errors
/// A file that cannot be read, is damaged or has more than two channels.
pub(super) fn stereo(
    file: &StemFile,
    rate_hz: &mut Option<u32>,
    warnings: &mut Vec<String>,
) -> Result<Planar> {
    let reading = || format!("cannot read {file}");
    let (clip, damage) = file.read_with_damage().with_context(reading)?;
    refuse_incomplete(file, damage, clip.rate_hz)?;
    let invalid = invalid_samples(damage, clip.rate_hz);
    warnings.extend(invalid.map(|text| format!("{file}: {text}")));
    let mut audio = to_stereo(clip.audio).map_err(|audio| {
        let channels = audio.channel_count();
        anyhow!("{file} has {channels} channels, stems have one or two")
    })?;
    silence_invalid(&mut audio);
    let rate_hz = *rate_hz.get_or_insert(clip.rate_hz);
    resample_clip(&audio, clip.rate_hz, rate_hz).with_context(|| format!("cannot convert {file}"))
}
