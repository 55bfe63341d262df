//! A monophonic synthesizer as sequencers drive it: one resonant filter that stays from note to note
//! and opens and closes over bars, or that speaks vowels. Of all that is no voice, it sounds most
//! like one.

use super::{
    RATE, Stereo,
    filter::{Formant, Svf},
    frame_at, gain, hz,
    oscillator::{Oscillator, Wave},
    voice::{Shape, VoiceType},
};
use crate::render::{compose::Note, dice::Dice};

/// Settings of a synthesizer.
#[derive(Clone, Debug)]
pub(crate) struct MonoSynth {
    /// Shapes, and semitones above the note.
    waves: Vec<(Wave, f32)>,
    colour: Colour,
    motion: Motion,
    /// How far each note throws the filter open, in octaves, and how soon it is back.
    accent_octaves: f32,
    accent_s: f32,
    glide_s: f32,
    attack_s: f32,
    release_s: f32,
    /// Gain into a tanh; 0 for none.
    drive: f32,
}

/// What the filter is.
#[derive(Clone, Debug)]
enum Colour {
    /// A peak at `centre_hz`, and what lies below it.
    Low { centre_hz: f32, q: f32 },
    /// Only what lies around `centre_hz`.
    Band { centre_hz: f32, q: f32 },
    /// From one vowel to another, in a mouth of another size than a human's.
    Vowels { from: Shape, to: Shape, size: f32 },
}

/// The filter's slow way up and down.
#[derive(Clone, Debug)]
struct Motion {
    octaves: f32,
    period_s: f32,
    phase: f32,
}

impl Motion {
    /// −1..1 at a moment.
    fn at(&self, seconds: f32) -> f32 {
        ((seconds / self.period_s + self.phase) * std::f32::consts::TAU).sin()
    }
}

impl MonoSynth {
    /// A sound of chance; `bar_s` is what the filter's motion keeps to.
    pub(crate) fn draw(dice: &mut Dice, bar_s: f32) -> Self {
        let wave = if dice.chance(0.6) {
            Wave::Saw
        } else {
            Wave::Pulse(dice.between(0.1, 0.5))
        };
        let mut waves = vec![(wave, 0.0)];
        if dice.chance(0.5) {
            let octave = *dice.pick(&[0.0, 0.0, -12.0, 12.0, 7.0]);
            waves.push((wave, octave + dice.bell(0.08)));
        }
        let centre_hz = 250.0 * dice.between(0.0, 3.0).exp2();
        let colour = match dice.weighted(&[2.0, 2.0, 1.5]) {
            0 => Colour::Low {
                centre_hz,
                q: dice.between(1.5, 9.0),
            },
            1 => Colour::Band {
                centre_hz,
                q: dice.between(1.0, 7.0),
            },
            _ => {
                let kind = *dice.pick(&VoiceType::ALL);
                let mut vowel = || kind.vowel(dice.index(5));
                let (from, to) = (vowel(), vowel());
                Colour::Vowels {
                    from,
                    to,
                    size: dice.between(0.7, 1.6),
                }
            }
        };
        Self {
            waves,
            colour,
            motion: Motion {
                octaves: dice.between(0.0, 1.6),
                period_s: bar_s * *dice.pick(&[0.5, 1.0, 2.0, 4.0, 8.0]),
                phase: dice.unit(),
            },
            accent_octaves: dice.between(0.0, 1.8),
            accent_s: dice.between(0.04, 0.4),
            glide_s: if dice.chance(0.4) {
                dice.between(0.01, 0.09)
            } else {
                0.0
            },
            attack_s: dice.between(0.001, 0.03),
            release_s: dice.between(0.02, 0.25),
            drive: if dice.chance(0.4) {
                dice.between(0.5, 5.0)
            } else {
                0.0
            },
        }
    }

    /// Name for `song.json`.
    pub(crate) fn name(&self) -> &'static str {
        match self.colour {
            Colour::Low { .. } => "mono synthesizer",
            Colour::Band { .. } => "mono synthesizer, band-pass",
            Colour::Vowels { .. } => "mono synthesizer, vowels",
        }
    }

    /// Plays notes in the order of their starts, `frames` long: each ends where the next begins.
    pub(crate) fn play(&self, notes: &[Note], frames: usize) -> Stereo {
        let mut out = vec![0.0; frames];
        let mut oscillators: Vec<Oscillator> = self
            .waves
            .iter()
            .map(|(wave, _)| Oscillator {
                wave: *wave,
                phase: 0.0,
            })
            .collect();
        let mut filter = Filter::default();
        let (mut key, mut level) = (None, 0.0_f32);
        for (index, note) in notes.iter().enumerate() {
            let next = notes
                .get(index + 1)
                .map_or(frames, |next| frame_at(next.start_s));
            let start = frame_at(note.start_s);
            let held = frame_at(note.start_s + note.length_s);
            let wanted = note.key as f32;
            let mut at = *key.get_or_insert(wanted);
            for frame in start..next.min(frames) {
                let since_s = (frame - start) as f32 / RATE;
                at += (wanted - at) * slew(self.glide_s);
                let (target, time_s) = if frame < held {
                    (note.velocity, self.attack_s)
                } else {
                    (0.0, self.release_s / 5.0)
                };
                level += (target - level) * slew(time_s);
                if level < 1e-5 && frame > held {
                    break;
                }
                if (frame - start).is_multiple_of(16) {
                    let accent =
                        self.accent_octaves * note.velocity * (-since_s / self.accent_s).exp();
                    let way = self.motion.at(frame as f32 / RATE);
                    filter.tune(&self.colour, self.motion.octaves, way, accent);
                }
                let raw: f32 = std::iter::zip(&mut oscillators, &self.waves)
                    .map(|(oscillator, (_, above))| oscillator.next(hz(at + above)))
                    .sum();
                let mut sample = filter.run(&self.colour, raw);
                if self.drive > 0.0 {
                    sample = (sample * (1.0 + self.drive)).tanh() * 0.8;
                }
                out[frame] += sample * level * 0.3;
            }
            key = Some(at);
        }
        [out.clone(), out]
    }
}

/// The share of a way that is gone in one frame where it takes about `time_s`.
fn slew(time_s: f32) -> f32 {
    1.0 - (-1.0 / (time_s * RATE).max(0.01)).exp()
}

/// What the filter remembers.
#[derive(Default)]
struct Filter {
    sweepable: Svf,
    formants: [Formant; 3],
    levels: [f32; 3],
}

impl Filter {
    /// Where the filter stands; `way` is the motion's place in −1..1.
    fn tune(&mut self, colour: &Colour, octaves: f32, way: f32, accent_octaves: f32) {
        match colour {
            Colour::Low { centre_hz, q } | Colour::Band { centre_hz, q } => {
                let centre = centre_hz * (octaves * way + accent_octaves).exp2();
                self.sweepable.tune(centre.min(16_000.0), *q);
            }
            Colour::Vowels { from, to, size } => {
                let place = 0.5 + 0.5 * way;
                let between = |from: f32, to: f32| from + (to - from) * place;
                for (index, formant) in self.formants.iter_mut().enumerate() {
                    let centre = between(from.centre_hz[index], to.centre_hz[index]) * size;
                    let width = between(from.width_hz[index], to.width_hz[index]);
                    formant.tune(centre, width);
                    self.levels[index] = gain(between(from.level_db[index], to.level_db[index]));
                }
            }
        }
    }

    fn run(&mut self, colour: &Colour, input: f32) -> f32 {
        match colour {
            Colour::Low { .. } => self.sweepable.run(input).low,
            Colour::Band { .. } => self.sweepable.run(input).band * 1.5,
            Colour::Vowels { .. } => {
                let formants = std::iter::zip(&mut self.formants, self.levels);
                formants
                    .map(|(formant, level)| formant.run(input) * level)
                    .sum::<f32>()
                    * 3.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(start_s: f64, key: i32) -> Note {
        Note {
            start_s,
            length_s: 0.5,
            key,
            velocity: 0.8,
            slurred: false,
        }
    }

    /// Energy of a signal at one frequency (Goertzel's sum).
    fn energy_at(samples: &[f32], frequency_hz: f32) -> f32 {
        let (mut re, mut im) = (0.0, 0.0);
        for (index, sample) in samples.iter().enumerate() {
            let angle = std::f32::consts::TAU * frequency_hz * index as f32 / RATE;
            re += sample * angle.cos();
            im += sample * angle.sin();
        }
        re * re + im * im
    }

    /// Whatever the filter does, the notes must be those of the score, one at a time.
    #[test]
    fn each_note_sounds_at_its_pitch_and_ends_with_the_next() {
        for seed in 0..16 {
            let mut synth = MonoSynth::draw(&mut Dice::new(seed, "test"), 2.0);
            synth.waves.truncate(1);
            synth.glide_s = 0.0;
            synth.drive = 0.0;
            let out = synth.play(&[note(0.0, 57), note(0.25, 63)], 88_200);
            assert!(out[0].iter().all(|sample| sample.is_finite()));
            let harmonics = |stretch: &[f32], key: f32| -> f32 {
                (1..12)
                    .map(|n| energy_at(stretch, hz(key) * n as f32))
                    .sum()
            };
            let (first, second) = (&out[0][2_205..9_000], &out[0][13_230..20_000]);
            let name = synth.name();
            assert!(
                harmonics(first, 57.0) > 4.0 * harmonics(first, 63.0),
                "{name}, seed {seed}"
            );
            assert!(
                harmonics(second, 63.0) > 4.0 * harmonics(second, 57.0),
                "{name}, seed {seed}"
            );
            let tail = &out[0][66_150..];
            assert!(tail.iter().all(|s| s.abs() < 1e-3), "{name}, seed {seed}");
        }
    }

    /// A filter that did not move would be one more organ.
    #[test]
    fn vowels_move_the_peak_of_the_spectrum() {
        let shape = |index| VoiceType::Tenor.vowel(index);
        let mut synth = MonoSynth::draw(&mut Dice::new(1, "test"), 2.0);
        synth.waves = vec![(Wave::Saw, 0.0)];
        synth.drive = 0.0;
        synth.colour = Colour::Vowels {
            from: shape(0),
            to: shape(2),
            size: 1.0,
        };
        // A to I and back within two seconds, beginning in the middle on the way to I.
        synth.motion = Motion {
            octaves: 0.0,
            period_s: 2.0,
            phase: 0.0,
        };
        let held = Note {
            length_s: 2.0,
            ..note(0.0, 45)
        };
        let out = synth.play(&[held], 88_200);
        // 660 Hz is the sixth harmonic of 110 Hz and near A's first formant (650 Hz).
        let (at_i, at_a) = (&out[0][20_000..24_000], &out[0][64_000..68_000]);
        assert!(energy_at(at_a, 660.0) > 10.0 * energy_at(at_i, 660.0));
    }
}
