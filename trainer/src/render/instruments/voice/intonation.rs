//! How a voice gets from note to note: glides, vibrato that sets in late, a pitch that wanders.

use super::Singer;
use crate::render::{dice::Dice, instruments::gain};

/// A voice's pitch over time, a step after the other.
pub(super) struct Intonation {
    step_s: f32,
    glide: f32,
    halfway: f32,
    key: f32,
    drift: f32,
    wobble: f32,
    phase: f32,
    since_s: f32,
    target_before: f32,
}

/// Part of the way to its target that something with this time constant goes in a step.
pub(super) fn follow(step_s: f32, time_s: f32) -> f32 {
    1.0 - (-step_s / time_s).exp()
}

impl Intonation {
    /// A voice at rest on a key.
    pub(super) fn new(singer: &Singer, dice: &mut Dice, key: f32, step_s: f32) -> Self {
        Self {
            step_s,
            glide: follow(step_s, singer.glide_s),
            halfway: key,
            key,
            drift: 0.0,
            wobble: 0.0,
            phase: dice.unit(),
            since_s: 0.0,
            target_before: key,
        }
    }

    /// The next step: the key that sounds, fractions included, and a factor for loudness, which
    /// sways with the vibrato. `sounds` is false in rests, after which the vibrato starts anew.
    pub(super) fn next(
        &mut self,
        singer: &Singer,
        dice: &mut Dice,
        target: f32,
        sounds: bool,
    ) -> (f32, f32) {
        if (target - self.target_before).abs() > 0.2 || !sounds {
            self.since_s = 0.0;
            self.target_before = target;
        }
        self.since_s += self.step_s;
        self.halfway += (target - self.halfway) * self.glide;
        self.key += (self.halfway - self.key) * self.glide;
        // Random steps add up with the square root of their number: as many per second whatever
        // the length of a step (the deviations below are for 64 frames at 44.1 kHz).
        let pace = (self.step_s / (64.0 / 44_100.0)).sqrt();
        self.drift += -self.drift * follow(self.step_s, 0.4) + dice.bell(0.08 * pace);
        self.wobble += -self.wobble * follow(self.step_s, 0.01) + dice.bell(0.25 * pace);
        let rate = singer.vibrato_hz * (1.0 + 0.04 * self.drift);
        self.phase = (self.phase + rate * self.step_s).fract();
        let grown = ((self.since_s - singer.vibrato_after_s) / 0.3).clamp(0.0, 1.0);
        let swing = (self.phase * std::f32::consts::TAU).sin() * grown;
        let cents =
            swing * singer.vibrato_cents + self.drift * singer.drift_cents + self.wobble * 2.0;
        (self.key + cents / 100.0, gain(swing * 0.7))
    }
}
