//! Recorded stems, cut into excerpts that fill a part of a song.

use std::path::{Path, PathBuf};

use super::{decode, licence, lower_name};
use crate::render::{
    compose::Stem,
    dice::Dice,
    instruments::{RATE, Stereo, frame_at, silence},
    mix::levels,
};

/// A file with one stem of a recorded song.
#[derive(Clone, Debug)]
pub(crate) struct StemClip {
    path: PathBuf,
    /// What sounds in it.
    pub(crate) stem: Stem,
}

impl StemClip {
    /// A stem by its file's name, or by the name of a folder up to three levels above it.
    pub(super) fn recognise(path: &Path) -> Option<Self> {
        let stem = path
            .ancestors()
            .take(4)
            .find_map(|part| match lower_name(part).as_str() {
                "drums" => Some(Stem::Drums),
                "bass" => Some(Stem::Bass),
                "other" => Some(Stem::Other),
                "vocals" => Some(Stem::Vocals),
                _ => None,
            })?;
        Some(Self {
            path: path.to_owned(),
            stem,
        })
    }

    /// Name and licence, for `song.json`.
    pub(crate) fn credit(&self) -> String {
        format!("{}: {}", self.name(), licence::of(&self.path))
    }

    /// What `song.json` calls it.
    pub(crate) fn name(&self) -> String {
        let folder = self.path.parent().map(lower_name).unwrap_or_default();
        let file = self
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        format!("recorded stem {folder}/{}", file.unwrap_or_default())
    }

    /// Fills the spans (seconds from, to) with excerpts of several seconds from random places,
    /// played at `speed` (pitch and tempo together), faded at their edges.
    ///
    /// # Errors
    /// If the file cannot be decoded.
    pub(crate) fn fill(
        &self,
        dice: &mut Dice,
        spans: &[(f64, f64)],
        speed: f32,
        frames: usize,
    ) -> anyhow::Result<Stereo> {
        let recording = decode(&self.path)?;
        let mut out = silence(frames);
        let loudness = levels::active_rms(&recording);
        for (from_s, to_s) in spans {
            let mut place = frame_at(*from_s);
            let end = frame_at(*to_s).min(frames);
            while place < end {
                let wish = (dice.between(3.0, 9.0) * RATE) as usize;
                let length = wish.min(end - place);
                let source = choose(dice, &recording, (length as f32 * speed) as usize, loudness);
                paste(&recording, source, speed, &mut out, place, length);
                place += length + (dice.between(0.0, 0.5) * RATE) as usize;
            }
        }
        Ok(out)
    }
}

/// A start from which `length` frames are not a rest, if a few tries find one.
fn choose(dice: &mut Dice, recording: &Stereo, length: usize, loudness: f32) -> usize {
    let last = recording[0].len().saturating_sub(length);
    let mut start = 0;
    for _ in 0..8 {
        start = (dice.unit() * last as f32) as usize;
        let end = (start + length).min(recording[0].len());
        let power: f32 = recording[0][start..end]
            .iter()
            .map(|sample| sample * sample)
            .sum();
        if (power / length.max(1) as f32).sqrt() > loudness * 0.4 {
            break;
        }
    }
    start
}

fn paste(
    recording: &Stereo,
    source: usize,
    speed: f32,
    out: &mut Stereo,
    place: usize,
    length: usize,
) {
    let fade = (0.04 * RATE).min(length as f32 / 2.0);
    for side in 0..2 {
        let samples = &recording[side];
        for frame in 0..length {
            let position = f64::from(speed) * frame as f64;
            let index = source + position as usize;
            if index + 1 >= samples.len() {
                break;
            }
            let part = position.fract() as f32;
            let sample = samples[index] + part * (samples[index + 1] - samples[index]);
            let edge = (frame as f32 / fade)
                .min((length - frame) as f32 / fade)
                .min(1.0);
            out[side][place + frame] += sample * edge;
        }
    }
}
