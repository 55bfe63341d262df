//! Who plays what: draws the instruments of a song, has them play their parts, mixes each stem.

mod backing;
mod layers;
mod programs;
mod rhythm;
mod singing;

use super::{compose::Form, dice::Dice, instruments::Stereo, mix::reverb::Room, sources::Sources};

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
        credits: Vec::new(),
    };
    let (drums, drum_names) = rhythm::drums(&mut session)?;
    let (bass, bass_names) = rhythm::bass(&mut session)?;
    let (other, other_names) = backing::other(&mut session)?;
    let (vocals, vocal_names) = singing::vocals(&mut session)?;
    Ok(Band {
        stems: [drums, bass, other, vocals],
        instruments: [drum_names, bass_names, other_names, vocal_names],
        credits: session.credits,
    })
}
