//! Who plays what: draws the instruments of a song, has them play their parts, mixes each stem.

mod backing;
mod layers;
mod programs;
mod rhythm;
mod sequencer;
mod singing;
mod voice_chain;
mod voice_pieces;

use super::{
    compose::{Form, Genre},
    dice::Dice,
    instruments::Stereo,
    mix::{pump::Pump, reverb::Room},
    sources::Sources,
};

/// The four stems before they are balanced, and what made them.
pub(super) struct Band {
    /// In stem order.
    pub(super) stems: [Stereo; 4],
    /// In stem order.
    pub(super) instruments: [Vec<String>; 4],
    /// Sources with licences.
    pub(super) credits: Vec<String>,
}

/// What every player of a song is given.
struct Session<'a> {
    seed: u64,
    form: &'a Form,
    sources: &'a Sources,
    frames: usize,
    /// A small room, for drums and bands.
    room: Room,
    /// A large one, for voices and pads.
    hall: Room,
    /// When the bass drum strikes, in seconds; empty where nobody knows.
    kicks: Vec<f64>,
    credits: Vec<String>,
}

impl Session<'_> {
    fn dice(&self, purpose: &str) -> Dice {
        Dice::new(self.seed, purpose)
    }

    /// Notes a source once.
    fn credit(&mut self, source: String) {
        if !self.credits.contains(&source) {
            self.credits.push(source);
        }
    }

    fn credit_font(&mut self) {
        if let Some(font) = &self.sources.font {
            self.credit(format!("soundfont {}: {}", font.name, font.licence));
        }
    }

    fn credit_own(&mut self) {
        self.credit("own synthesis: the project's licence".to_owned());
    }
}

/// Renders all stems of a song.
///
/// # Errors
/// If the soundfont's player fails.
pub(super) fn perform(
    seed: u64,
    form: &Form,
    sources: &Sources,
    frames: usize,
) -> anyhow::Result<Band> {
    let mut dice = Dice::new(seed, "rooms");
    let (room_s, hall_s) = (dice.between(0.25, 0.8), dice.between(0.9, 2.6));
    let mut session = Session {
        seed,
        form,
        sources,
        frames,
        room: Room::draw(&mut dice, room_s),
        hall: Room::draw(&mut dice, hall_s),
        kicks: Vec::new(),
        credits: Vec::new(),
    };
    let (drums, drum_names) = rhythm::drums(&mut session)?;
    let (mut bass, bass_names) = rhythm::bass(&mut session)?;
    let (mut other, other_names) = backing::other(&mut session)?;
    pump(&session, &mut bass, &mut other);
    let (vocals, vocal_names) = singing::vocals(&mut session)?;
    Ok(Band {
        stems: [drums, bass, other, vocals],
        instruments: [drum_names, bass_names, other_names, vocal_names],
        credits: session.credits,
    })
}

/// Ducks bass and other by the bass drum, in the genres that do.
fn pump(session: &Session<'_>, bass: &mut Stereo, other: &mut Stereo) {
    let mut dice = session.dice("pump");
    let odds = match session.form.genre {
        Genre::House => 0.75,
        Genre::Pop | Genre::Trap | Genre::Breaks | Genre::HipHop => 0.3,
        _ => 0.04,
    };
    if !dice.chance(odds) {
        return;
    }
    let beat_s = 60.0 / session.form.tempo_bpm as f32;
    let pump = Pump {
        depth_db: dice.between(-16.0, -4.0),
        recovery_s: beat_s * dice.between(0.35, 0.9),
    };
    pump.apply(other, &session.kicks);
    if dice.chance(0.8) {
        pump.apply(bass, &session.kicks);
    }
}
