//! A singer by source and filter: a glottis that buzzes, a tract that forms vowels, consonants of
//! noise and hum in between.
//!
//! ```text
//! notes ─ syllables ─ gestures (pitch, voicing, breath, hiss, formants every 1.5 ms) ─ tract ─ sound
//! ```
//!
//! - [`vowels`]: formant tables of four voice types.
//! - [`gestures`]: what throat and mouth do over time.
//! - [`tract`]: the sound of it.
//! - [`intonation`]: the pitch between notes.
//!
//! A second kind of singer is a speaker put on a melody:
//!
//! - [`speech`]: spoken words with the times of their sounds, from the program `flite`.
//! - [`resynthesis`]: any voice taken apart into pitch and spectral envelope, and put together again
//!   at other pitches and times, by [`pitch`] and [`spectrum`].
//! - [`speaker`]: the two together: words on notes.

mod gestures;
mod intonation;
mod pitch;
pub(crate) mod resynthesis;
pub(crate) mod speaker;
mod spectrum;
pub(crate) mod speech;
mod tract;
mod vowels;

use super::Stereo;
use crate::render::{compose::Note, dice::Dice};
pub(crate) use vowels::{Shape, VoiceType};

/// What makes one singer different from the next.
#[derive(Clone, Debug)]
pub(crate) struct Singer {
    /// Range and vowel colours.
    pub(crate) voice: VoiceType,
    /// Length of the vocal tract relative to the tables: formants are divided by it.
    tract_length: f32,
    /// Vibrato rate.
    vibrato_hz: f32,
    /// Vibrato depth to either side.
    vibrato_cents: f32,
    /// Seconds until the vibrato sets in.
    vibrato_after_s: f32,
    /// Random wandering of the pitch.
    drift_cents: f32,
    /// Time constant of the glide between notes.
    glide_s: f32,
    /// How far below the first note of a phrase the voice starts.
    scoop_semitones: f32,
    /// Breath noise relative to the voice.
    breath: f32,
    /// Part of each cycle in which the glottis is open: small is pressed, large is soft.
    open_quotient: f32,
    /// Cutoff of the glottis' spectrum.
    tilt_hz: f32,
    /// Width of the formants relative to the tables, which are narrow.
    damping: f32,
    /// Rise of the voice at the start of a vowel.
    attack_s: f32,
    /// How much of a note's length is sung, the rest is a gap before the next.
    legato: f32,
    /// Loudness of consonants' noise.
    hiss: f32,
    /// Odds that a syllable begins with a consonant.
    consonant_odds: f32,
    /// The only vowels sung, for oohs and aahs; empty for all.
    vowels: &'static [usize],
}

impl Singer {
    /// A lead singer.
    pub(crate) fn draw(dice: &mut Dice, voice: VoiceType) -> Self {
        Self {
            voice,
            tract_length: 1.0 + dice.bell(0.06),
            vibrato_hz: dice.between(4.6, 6.8),
            vibrato_cents: if dice.chance(0.2) {
                dice.between(0.0, 12.0)
            } else {
                dice.between(20.0, 100.0)
            },
            vibrato_after_s: dice.between(0.08, 0.5),
            drift_cents: dice.between(4.0, 18.0),
            glide_s: dice.between(0.012, 0.06),
            scoop_semitones: dice.between(0.0, 2.5),
            breath: dice.between(0.02, 0.16),
            open_quotient: dice.between(0.45, 0.75),
            tilt_hz: dice.between(3_000.0, 13_000.0),
            damping: dice.between(1.3, 2.4),
            attack_s: dice.between(0.006, 0.035),
            legato: dice.between(0.75, 1.05).min(1.0),
            hiss: dice.between(0.35, 1.0),
            consonant_odds: dice.between(0.7, 0.98),
            vowels: &[],
        }
    }

    /// As pitch correction leaves a voice: no vibrato, no drift, steps instead of glides.
    pub(crate) fn tuned(mut self) -> Self {
        self.vibrato_cents = 0.0;
        self.drift_cents = 0.0;
        self.glide_s = 0.003;
        self.scoop_semitones = 0.0;
        self
    }

    /// A singer of vowels only, for backing.
    pub(crate) fn humming(mut self, dice: &mut Dice) -> Self {
        const COLOURS: [&[usize]; 4] = [&[0], &[3], &[4], &[0, 3]];
        self.vowels = *dice.pick(&COLOURS);
        self.consonant_odds = 0.1;
        self.breath *= 1.5;
        self
    }

    /// Another take of the same singer: a little different in everything that a throat can't
    /// repeat.
    pub(crate) fn again(mut self, dice: &mut Dice) -> Self {
        self.vibrato_hz *= 1.0 + dice.bell(0.05);
        self.vibrato_after_s *= dice.between(0.7, 1.4);
        self.tract_length *= 1.0 + dice.bell(0.01);
        self.drift_cents *= 1.2;
        self
    }

    /// Sings notes that don't overlap; `words` names the text, so takes can share it.
    /// Returns mono sound on both sides, `frames` long.
    pub(crate) fn sing(
        &self,
        dice: &mut Dice,
        words: &mut Dice,
        notes: &[Note],
        frames: usize,
    ) -> Stereo {
        let gestures = gestures::perform(self, dice, words, notes, frames);
        let sound = tract::speak(self, dice, &gestures, frames);
        [sound.clone(), sound]
    }
}
