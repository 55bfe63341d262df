//! Own synthesizers: detuned oscillators through a filter, FM, and plucked strings.

use super::{
    RATE, Stereo,
    filter::Svf,
    frame_at, hz,
    oscillator::{Noise, Oscillator, Wave},
    silence,
};
use crate::render::{compose::Note, dice::Dice};

/// What a synthesizer is for; decides the range of its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Bass,
    Lead,
    Pad,
    Keys,
}

/// One sound of a synthesizer.
#[derive(Clone, Debug)]
pub(crate) enum Patch {
    /// Oscillators, low-pass filter, envelopes.
    Subtractive(Subtractive),
    /// A modulator bends the phase of a carrier.
    Fm {
        /// Modulator frequency over carrier frequency.
        ratio: f32,
        /// Modulation depth at the attack, in radians.
        index: f32,
        /// Time in which the depth falls to a third.
        index_decay_s: f32,
        /// The amplitude's envelope.
        envelope: Envelope,
    },
    /// A long sine whose pitch falls into the note: a drum machine's bass drum played as a bass.
    Sub {
        /// How far above the note it starts, in octaves.
        drop_octaves: f32,
        /// Time in which it falls there to a third.
        drop_s: f32,
        /// Time in which the sound falls to a third.
        decay_s: f32,
        /// Gain into a tanh; 0 for a clean sine.
        drive: f32,
    },
    /// Karplus and Strong's string.
    Plucked {
        /// 0 dull to 1 bright.
        brightness: f32,
        /// Time to fall by 60 dB at 220 Hz.
        decay_s: f32,
    },
}

/// Settings of [`Patch::Subtractive`].
#[derive(Clone, Debug)]
pub(crate) struct Subtractive {
    waves: Vec<(Wave, f32, f32)>,
    cutoff_octaves: f32,
    sweep_octaves: f32,
    sweep_s: f32,
    q: f32,
    drive: f32,
    vibrato_cents: f32,
    envelope: Envelope,
}

/// Attack, decay, sustain, release.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope {
    attack_s: f32,
    decay_s: f32,
    sustain: f32,
    release_s: f32,
}

impl Envelope {
    /// Level `t` seconds after the start of a note held for `held_s`.
    fn level(&self, t: f32, held_s: f32) -> f32 {
        let on = |t: f32| {
            if t < self.attack_s {
                t / self.attack_s
            } else {
                let fall = (-(t - self.attack_s) / self.decay_s).exp();
                self.sustain + (1.0 - self.sustain) * fall
            }
        };
        if t < held_s {
            on(t)
        } else {
            on(held_s) * (-(t - held_s) * 5.0 / self.release_s).exp()
        }
    }
}

impl Patch {
    /// A sound for the role.
    pub(crate) fn draw(dice: &mut Dice, role: Role) -> Self {
        let envelope = Envelope {
            attack_s: match role {
                Role::Pad => dice.between(0.1, 0.7),
                Role::Lead => dice.between(0.004, 0.06),
                _ => dice.between(0.002, 0.012),
            },
            decay_s: dice.between(0.1, 0.9),
            sustain: match role {
                Role::Keys => dice.between(0.0, 0.4),
                _ => dice.between(0.45, 0.95),
            },
            release_s: if role == Role::Pad {
                dice.between(0.3, 1.2)
            } else {
                dice.between(0.06, 0.3)
            },
        };
        let odds = match role {
            Role::Bass => [6.0, 2.0, 1.5],
            Role::Lead => [5.0, 2.0, 0.5],
            Role::Pad => [6.0, 1.0, 0.0],
            Role::Keys => [2.0, 3.0, 3.0],
        };
        match dice.weighted(&odds) {
            0 => Patch::Subtractive(Subtractive::draw(dice, role, envelope)),
            1 => Patch::Fm {
                ratio: *dice.pick(&[0.5, 1.0, 1.0, 2.0, 3.0, 4.0, 7.0, 1.41, 3.5]),
                index: dice.between(0.6, if role == Role::Bass { 3.0 } else { 4.5 }),
                index_decay_s: dice.between(0.06, 0.9),
                envelope,
            },
            _ => Patch::Plucked {
                brightness: dice.unit(),
                decay_s: dice.between(1.0, 5.0),
            },
        }
    }

    /// The bass of trap and much hip-hop.
    pub(crate) fn draw_sub(dice: &mut Dice) -> Self {
        Patch::Sub {
            drop_octaves: dice.between(0.3, 2.2),
            drop_s: dice.between(0.008, 0.05),
            decay_s: dice.between(0.3, 1.6),
            drive: if dice.chance(0.6) {
                dice.between(0.5, 6.0)
            } else {
                0.0
            },
        }
    }

    /// Name for `song.json`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Patch::Sub { .. } => "sub bass",
            Patch::Subtractive(_) => "subtractive synthesizer",
            Patch::Fm { .. } => "FM synthesizer",
            Patch::Plucked { .. } => "plucked string synthesis",
        }
    }

    /// Plays notes, `frames` long.
    pub(crate) fn play(&self, dice: &mut Dice, notes: &[Note], frames: usize) -> Stereo {
        let mut out = silence(frames);
        for note in notes {
            let start = frame_at(note.start_s);
            if start >= frames {
                continue;
            }
            let seed = dice.whole(1, i32::MAX - 1) as u32;
            match self {
                Patch::Subtractive(patch) => patch.note(note, start, seed, &mut out),
                Patch::Fm {
                    ratio,
                    index,
                    index_decay_s,
                    envelope,
                } => {
                    let fm = (*ratio, *index, *index_decay_s);
                    fm_note(fm, *envelope, note, start, &mut out);
                }
                Patch::Sub {
                    drop_octaves,
                    drop_s,
                    decay_s,
                    drive,
                } => sub_note(
                    (*drop_octaves, *drop_s),
                    *decay_s,
                    *drive,
                    note,
                    start,
                    &mut out,
                ),
                Patch::Plucked {
                    brightness,
                    decay_s,
                } => {
                    pluck(*brightness, *decay_s, note, start, seed, &mut out);
                }
            }
        }
        out
    }
}

impl Subtractive {
    fn draw(dice: &mut Dice, role: Role, envelope: Envelope) -> Self {
        let count = match role {
            Role::Bass => 1 + dice.index(2),
            Role::Pad => 2 + dice.index(3),
            _ => 1 + dice.index(3),
        };
        let spread_cents = dice.between(2.0, 18.0);
        let waves = (0..count)
            .map(|index| {
                let wave = match dice.weighted(&[4.0, 2.5, 1.0, 0.6]) {
                    0 => Wave::Saw,
                    1 => Wave::Pulse(dice.between(0.2, 0.5)),
                    2 => Wave::Triangle,
                    _ => Wave::Sine,
                };
                let octave = match role {
                    Role::Bass if index > 0 && dice.chance(0.5) => -12.0,
                    Role::Lead if index > 0 && dice.chance(0.3) => 12.0,
                    _ => 0.0,
                };
                let detune = octave + dice.bell(spread_cents / 100.0);
                let width = if role == Role::Bass {
                    0.0
                } else {
                    dice.between(-0.9, 0.9)
                };
                (wave, detune, width)
            })
            .collect();
        let (low, high) = match role {
            Role::Bass => (0.5, 3.5),
            Role::Pad => (1.0, 4.0),
            _ => (1.5, 5.0),
        };
        let most_q = if dice.chance(0.2) { 6.0 } else { 2.0 };
        Self {
            waves,
            cutoff_octaves: dice.between(low, high),
            sweep_octaves: if role == Role::Pad {
                dice.between(-1.0, 1.5)
            } else {
                dice.between(0.0, 3.0)
            },
            sweep_s: dice.between(0.05, 0.6),
            q: dice.between(0.6, most_q),
            drive: if dice.chance(0.4) {
                dice.between(1.0, 4.0)
            } else {
                0.0
            },
            vibrato_cents: if role == Role::Lead {
                dice.between(0.0, 25.0)
            } else {
                0.0
            },
            envelope,
        }
    }

    fn note(&self, note: &Note, start: usize, seed: u32, out: &mut Stereo) {
        let held_s = note.length_s as f32;
        let length = ((held_s + self.envelope.release_s) * RATE) as usize;
        let end = (start + length).min(out[0].len());
        let mut noise = Noise::new(seed);
        let mut voices: Vec<(Oscillator, f32, [f32; 2])> = self
            .waves
            .iter()
            .map(|(wave, detune, width)| {
                let oscillator = Oscillator {
                    wave: *wave,
                    phase: noise.next() * 0.5 + 0.5,
                };
                let sides = [(0.5 - 0.5 * width).sqrt(), (0.5 + 0.5 * width).sqrt()];
                (oscillator, hz(note.key as f32 + detune), sides)
            })
            .collect();
        let base_hz = hz(note.key as f32);
        let mut filters = [Svf::default(), Svf::default()];
        let scale = note.velocity * 0.3 / (self.waves.len() as f32).sqrt();
        let mut bend = 1.0;
        for frame in start..end {
            let t = (frame - start) as f32 / RATE;
            if (frame - start).is_multiple_of(16) {
                let sweep =
                    self.sweep_octaves * (-t / self.sweep_s).exp() * (0.4 + 0.6 * note.velocity);
                let cutoff = base_hz * (self.cutoff_octaves + sweep).exp2();
                filters
                    .iter_mut()
                    .for_each(|filter| filter.tune(cutoff.min(18_000.0), self.q));
                let depth = self.vibrato_cents / 1200.0 * (t * 2.0).min(1.0);
                bend = (depth * (t * 5.3 * std::f32::consts::TAU).sin()).exp2();
            }
            let mut sides = [0.0; 2];
            for (oscillator, frequency, share) in &mut voices {
                let sample = oscillator.next(*frequency * bend);
                sides[0] += sample * share[0];
                sides[1] += sample * share[1];
            }
            let level = self.envelope.level(t, held_s) * scale;
            for side in 0..2 {
                let mut sample = filters[side].run(sides[side]).low;
                if self.drive > 0.0 {
                    sample = (sample * (1.0 + self.drive)).tanh() * 0.8;
                }
                out[side][frame] += sample * level;
            }
        }
    }
}

fn fm_note(
    (ratio, index, index_decay_s): (f32, f32, f32),
    envelope: Envelope,
    note: &Note,
    start: usize,
    out: &mut Stereo,
) {
    let held_s = note.length_s as f32;
    let length = ((held_s + envelope.release_s) * RATE) as usize;
    let end = (start + length).min(out[0].len());
    let mut carrier = 0.0_f32;
    let mut modulator = 0.0_f32;
    let step = hz(note.key as f32) / RATE;
    for frame in start..end {
        let t = (frame - start) as f32 / RATE;
        let depth = index * note.velocity * (0.15 + 0.85 * (-t / index_decay_s).exp());
        let bent =
            carrier * std::f32::consts::TAU + depth * (modulator * std::f32::consts::TAU).sin();
        let sample = bent.sin() * envelope.level(t, held_s) * note.velocity * 0.25;
        carrier = (carrier + step).fract();
        modulator = (modulator + step * ratio).fract();
        out[0][frame] += sample;
        out[1][frame] += sample;
    }
}

fn sub_note(
    (drop_octaves, drop_s): (f32, f32),
    decay_s: f32,
    drive: f32,
    note: &Note,
    start: usize,
    out: &mut Stereo,
) {
    let held_s = note.length_s as f32;
    let end = (start + ((held_s + 0.05) * RATE) as usize).min(out[0].len());
    let mut phase = 0.0_f32;
    for frame in start..end {
        let t = (frame - start) as f32 / RATE;
        let bent = hz(note.key as f32) * (drop_octaves * (-t / drop_s).exp()).exp2();
        phase = (phase + bent / RATE).fract();
        let release = (1.0 - (t - held_s) / 0.05).clamp(0.0, 1.0);
        let mut sample = (phase * std::f32::consts::TAU).sin() * (-t / decay_s).exp();
        if drive > 0.0 {
            sample = (sample * (1.0 + drive)).tanh();
        }
        let sample = sample * release * (t / 0.002).min(1.0) * note.velocity * 0.4;
        out[0][frame] += sample;
        out[1][frame] += sample;
    }
}

fn pluck(brightness: f32, decay_s: f32, note: &Note, start: usize, seed: u32, out: &mut Stereo) {
    let period = RATE / hz(note.key as f32);
    let length = period.floor().max(2.0) as usize;
    let fraction = period - length as f32;
    let mut noise = Noise::new(seed);
    let mut smooth = 0.0;
    let softness = 0.15 + 0.8 * brightness * note.velocity;
    let mut string: Vec<f32> = (0..=length)
        .map(|_| {
            smooth += softness * (noise.next() - smooth);
            smooth
        })
        .collect();
    let keep = (-6.9 * period / RATE / decay_s).exp();
    let blend = 0.5 + 0.48 * brightness;
    let held = (note.length_s as f32 * RATE) as usize;
    let end = (start + held + (0.15 * RATE) as usize).min(out[0].len());
    let (mut position, mut last, mut damping) = (0, 0.0, 1.0);
    for frame in start..end {
        if frame - start > held {
            damping *= 0.9992;
        }
        let next = (position + 1) % string.len();
        let here = string[position] + fraction * (string[next] - string[position]);
        string[position] = keep * (blend * here + (1.0 - blend) * last);
        last = here;
        position = next;
        let sample = here * note.velocity * damping * 0.7;
        out[0][frame] += sample;
        out[1][frame] += sample;
    }
}
