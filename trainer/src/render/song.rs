//! One song, from its seed to four stems.

use bunri_stream::Planar;
use serde::Serialize;

use super::{
    band,
    compose::Form,
    dice::Dice,
    instruments::{RATE_HZ, Stereo, frame_at, gain},
    mix::{effects, levels},
    sources::Sources,
};

/// Names of the stems, in the order in which they are rendered and written.
pub const STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// What a song is made of; written to `song.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SongNotes {
    /// The seed that makes this song again, with the same sources and length.
    pub seed: u64,
    /// Length.
    pub seconds: f64,
    /// Style.
    pub genre: &'static str,
    /// Beats per minute.
    pub tempo_bpm: f64,
    /// Beats in a bar.
    pub beats_per_bar: usize,
    /// Tonic and scale, e.g. `F# dorian`.
    pub key: String,
    /// Sections with their first second and the stems that play.
    pub sections: Vec<SectionNotes>,
    /// Instruments, by stem.
    pub instruments: Vec<(&'static str, Vec<String>)>,
    /// Where the sound came from, with licences.
    pub sources: Vec<String>,
    /// Active RMS in dBFS and active part of the time, by stem.
    pub levels: Vec<(&'static str, f32, f32)>,
}

/// One section of a song.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SectionNotes {
    /// `intro`, `verse`, `chorus`, `break` or `solo`.
    pub kind: &'static str,
    /// First second.
    pub start_s: f64,
    /// Stems that play.
    pub plays: Vec<&'static str>,
}

/// A rendered song: stereo stems whose samples lie on the 16-bit grid, so that their sum is exact.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedSong {
    /// `seed-000042`.
    pub name: String,
    /// Sample rate, 44100.
    pub rate_hz: u32,
    /// Drums, bass, other, vocals: `[2][frames]` each.
    pub stems: [(&'static str, Planar); 4],
    /// How it was made.
    pub notes: SongNotes,
}

impl RenderedSong {
    /// The sum of the stems. Exact: grid values up to 1 add without rounding in `f32`.
    #[must_use]
    pub fn mixture(&self) -> Planar {
        let mut sum = self.stems[0].1.clone();
        for (_, stem) in &self.stems[1..] {
            sum.add(stem);
        }
        sum
    }
}

/// A song's folder name.
pub(super) fn song_name(seed: u64) -> String {
    format!("seed-{seed:06}")
}

/// Renders the song of this seed: `seconds` long, 44.1 kHz stereo, the mixture below full scale.
///
/// Equal seed, length and sources give equal samples. Takes about a tenth of the song's duration
/// on one core.
///
/// # Errors
/// If `seconds` is not within 0.1..=3600, or the soundfont's player fails.
pub fn render_song(seed: u64, seconds: f64, sources: &Sources) -> anyhow::Result<RenderedSong> {
    anyhow::ensure!(
        (0.1..=3_600.0).contains(&seconds),
        "a song of {seconds} seconds: the length must be within 0.1 to 3600 seconds"
    );
    let form = Form::plan(&mut Dice::new(seed, "form"), seconds);
    let frames = frame_at(seconds);
    let band = band::perform(seed, &form, sources, frames)?;
    let mut stems = band.stems;
    balance(&mut Dice::new(seed, "master"), &mut stems);
    let notes = SongNotes {
        seed,
        seconds,
        genre: form.genre.name(),
        tempo_bpm: form.tempo_bpm,
        beats_per_bar: form.beats_per_bar,
        key: key_name(&form),
        sections: section_notes(&form),
        instruments: STEMS.into_iter().zip(band.instruments).collect(),
        sources: band.credits,
        levels: std::iter::zip(STEMS, &stems)
            .map(|(name, stem)| {
                let rms_db = 20.0 * levels::active_rms(stem).max(1e-6).log10();
                (name, rms_db, levels::active_fraction(stem))
            })
            .collect(),
    };
    let mut stems = STEMS.into_iter().zip(stems);
    let stems = std::array::from_fn(|_| {
        let (name, stem) = stems.next().unwrap_or_default();
        (name, Planar::from_channels(stem.into()).unwrap_or_default())
    });
    Ok(RenderedSong {
        name: song_name(seed),
        rate_hz: RATE_HZ,
        stems,
        notes,
    })
}

/// Sets the stems' levels against each other and the song's as a whole.
fn balance(dice: &mut Dice, stems: &mut [Stereo; 4]) {
    // Active RMS of drums, bass, other, vocals around their usual places.
    for (stem, usual_db) in stems.iter_mut().zip([-18.5, -19.5, -19.5, -17.5]) {
        let loudness = levels::active_rms(stem);
        if loudness > 0.0 {
            levels::scale(stem, gain(usual_db + dice.bell(2.6)) / loudness);
        }
    }
    let ceiling = dice.between(0.75, 0.98);
    if dice.chance(0.55) {
        // Mastered loud: pushed into a limiter.
        let push = gain(dice.between(1.0, 6.0));
        stems.iter_mut().for_each(|stem| levels::scale(stem, push));
        levels::limit_together(stems, ceiling, dice.between(0.03, 0.3));
    } else {
        let quieter = gain(dice.between(-6.0, 2.0));
        stems
            .iter_mut()
            .for_each(|stem| levels::scale(stem, quieter));
    }
    let mut sum = stems[0].clone();
    for stem in &stems[1..] {
        for side in 0..2 {
            sum[side]
                .iter_mut()
                .zip(&stem[side])
                .for_each(|(sum, sample)| *sum += sample);
        }
    }
    // The mixture and each stem alone fit into a file.
    let peak = stems
        .iter()
        .map(effects::peak)
        .fold(effects::peak(&sum), f32::max);
    if peak > ceiling {
        stems
            .iter_mut()
            .for_each(|stem| levels::scale(stem, ceiling / peak));
    }
    stems.iter_mut().for_each(levels::to_grid);
}

fn key_name(form: &Form) -> String {
    const NAMES: [&str; 12] = [
        "C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B",
    ];
    format!(
        "{} {}",
        NAMES[form.tonic.rem_euclid(12) as usize],
        form.mode.name()
    )
}

fn section_notes(form: &Form) -> Vec<SectionNotes> {
    form.sections
        .iter()
        .map(|section| SectionNotes {
            kind: section.kind,
            start_s: form.seconds_at(section.start),
            plays: std::iter::zip(STEMS, section.plays)
                .filter_map(|(name, plays)| plays.then_some(name))
                .collect(),
        })
        .collect()
}
