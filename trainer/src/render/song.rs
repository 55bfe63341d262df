//! One song, from its seed to four stems.

use bunri_stream::Planar;
use serde::Serialize;

use super::{
    band,
    compose::Form,
    dice::Dice,
    instruments::{RATE_HZ, frame_at},
    mix::{levels, master},
    sources::Sources,
};

/// Names of the stems, in the order in which they are rendered and written.
pub const STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// Version of the generator, raised whenever a seed's song changes.
pub const RECIPE: u32 = 4;

/// What a song is made of; written to `song.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SongNotes {
    /// The generator's version: the same seed is another song in another one.
    pub recipe: u32,
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
    /// How the whole was finished.
    pub master: master::MasterNotes,
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
/// Equal seed, length and sources give equal samples. Takes a fifth of the song's duration on one
/// core, or less.
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
    let master = master::master(&mut Dice::new(seed, "master"), &mut stems)?;
    let notes = SongNotes {
        recipe: RECIPE,
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
        master,
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
