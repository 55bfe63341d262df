//! What throat and mouth do over time: the notes' syllables laid out as overlapping targets, then
//! smoothed, because flesh does not jump.

use super::{
    Singer,
    intonation::{self, Intonation},
    vowels::{self, Shape},
};
use crate::render::{compose::Note, dice::Dice, instruments::RATE};

/// Samples between two gestures.
pub(super) const STEP: usize = 64;

/// One moment of singing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gesture {
    /// Pitch as a MIDI key with fraction.
    pub(super) key: f32,
    /// Loudness of the voice, 0..=1.
    pub(super) voicing: f32,
    /// Noise through the tract, 0..=1.
    pub(super) breath: f32,
    /// Noise at the teeth, 0..=1.
    pub(super) hiss: f32,
    /// Its centre.
    pub(super) hiss_hz: f32,
    /// The mouth.
    pub(super) shape: Shape,
}

#[derive(Clone, Copy)]
enum Consonant {
    None,
    Stop { voiced: bool, burst_hz: f32 },
    Fricative { voiced: bool, hz: f32, level: f32 },
    Aspirate,
    Nasal { place: f32 },
    Liquid { rhotic: bool },
    Glide { vowel: usize },
}

impl Consonant {
    fn draw(words: &mut Dice) -> Self {
        match words.weighted(&[4.5, 3.0, 1.0, 2.5, 1.8, 1.4]) {
            0 => Consonant::Stop {
                voiced: words.chance(0.5),
                burst_hz: *words.pick(&[900.0, 4_200.0, 2_000.0]),
            },
            1 => {
                let (hz, level) = *words.pick(&[
                    (7_200.0, 1.0),
                    (7_200.0, 1.0),
                    (3_400.0, 0.9),
                    (5_000.0, 0.25),
                ]);
                Consonant::Fricative {
                    voiced: words.chance(0.3),
                    hz,
                    level,
                }
            }
            2 => Consonant::Aspirate,
            3 => Consonant::Nasal {
                place: words.whole(0, 1) as f32,
            },
            4 => Consonant::Liquid {
                rhotic: words.chance(0.5),
            },
            _ => Consonant::Glide {
                vowel: if words.chance(0.5) { 2 } else { 4 },
            },
        }
    }

    fn length_s(self, words: &mut Dice) -> f32 {
        match self {
            Consonant::None => 0.0,
            Consonant::Stop { .. } => words.between(0.05, 0.09),
            Consonant::Fricative { .. } => words.between(0.06, 0.13),
            Consonant::Aspirate => words.between(0.04, 0.08),
            Consonant::Nasal { .. } => words.between(0.05, 0.1),
            Consonant::Liquid { .. } => words.between(0.04, 0.08),
            Consonant::Glide { .. } => words.between(0.04, 0.07),
        }
    }
}

/// Lays out all gestures of a part, one every [`STEP`] samples.
pub(super) fn perform(
    singer: &Singer,
    dice: &mut Dice,
    words: &mut Dice,
    notes: &[Note],
    frames: usize,
) -> Vec<Gesture> {
    let count = frames / STEP + 2;
    let rest = Gesture {
        key: notes.first().map_or(60.0, |note| note.key as f32),
        voicing: 0.0,
        breath: 0.0,
        hiss: 0.0,
        hiss_hz: 5_000.0,
        shape: singer.voice.vowel(0),
    };
    let mut line = vec![rest; count];
    let mut vowel = 0;
    for (index, note) in notes.iter().enumerate() {
        let end_s = note.start_s + note.length_s;
        let next = notes
            .get(index + 1)
            .filter(|next| next.start_s < end_s + 0.07);
        let previous_end = index
            .checked_sub(1)
            .map_or(-1.0, |index| notes[index].start_s + notes[index].length_s);
        let alone = note.start_s - previous_end > 0.15;
        let onset = if (note.slurred && !alone) || !words.chance(singer.consonant_odds) {
            Consonant::None
        } else {
            Consonant::draw(words)
        };
        if !note.slurred || alone {
            vowel = if singer.vowels.is_empty() {
                words.weighted(&[3.0, 2.5, 2.0, 1.8, 1.2])
            } else {
                *words.pick(singer.vowels)
            };
        }
        let diphthong = (note.length_s > 0.3 && singer.vowels.is_empty() && words.chance(0.25))
            .then(|| if words.chance(0.6) { 2 } else { 4 });
        let coda = words.chance(0.25) && singer.vowels.is_empty();
        let coda = if coda && next.is_none_or(|next| !next.slurred) {
            Consonant::draw(words)
        } else {
            Consonant::None
        };
        let syllable = Syllable {
            onset,
            vowel,
            diphthong,
            coda,
            alone,
            joins: next.is_some_and(|next| next.slurred),
        };
        syllable.write(singer, dice, words, note, &mut line);
    }
    smooth(singer, dice, &mut line);
    line
}

struct Syllable {
    onset: Consonant,
    vowel: usize,
    diphthong: Option<usize>,
    coda: Consonant,
    /// Nothing was sung just before.
    alone: bool,
    /// The next note goes on with this syllable.
    joins: bool,
}

fn at(seconds: f64) -> usize {
    (seconds.max(0.0) * f64::from(RATE) / STEP as f64).round() as usize
}

impl Syllable {
    fn write(
        &self,
        singer: &Singer,
        dice: &mut Dice,
        words: &mut Dice,
        note: &Note,
        line: &mut [Gesture],
    ) {
        let late_s = dice.bell(0.008);
        let start_s = (note.start_s + f64::from(late_s)).max(0.0);
        let gap = (1.0 - singer.legato * dice.between(0.85, 1.1)).clamp(0.0, 0.4);
        let gap_s = (f64::from(gap) * note.length_s).min(0.3);
        let gap_s = if self.joins { 0.0 } else { gap_s.max(0.02) };
        let end_s = note.start_s + note.length_s - gap_s;
        let onset_s = f64::from(self.onset.length_s(words)).min(note.length_s * 0.4);
        let coda_s = f64::from(self.coda.length_s(words)).min(note.length_s * 0.25);
        // The vowel, not the consonant, meets the beat; on a note of its own the breath leads in.
        let begin = at(start_s - onset_s);
        let (vowel_from, vowel_to) = (at(start_s), at(end_s - coda_s));
        let effort = 0.35 + 0.65 * note.velocity;
        let length = (vowel_to.saturating_sub(vowel_from)).max(1) as f32;
        let swell = dice.between(-0.25, 0.3);
        for (index, gesture) in range(line, vowel_from, vowel_to).iter_mut().enumerate() {
            let place = index as f32 / length;
            gesture.voicing = effort * (1.0 + swell * (place - 0.4));
            gesture.breath = singer.breath * effort;
            let late = self.diphthong.filter(|_| place > 0.62);
            gesture.shape = singer.voice.vowel(late.unwrap_or(self.vowel));
        }
        let scoop = if self.alone {
            singer.scoop_semitones * dice.unit()
        } else {
            0.0
        };
        let scooped = vowel_from + at(f64::from(dice.between(0.02, 0.09)));
        for gesture in range(line, begin, line.len()) {
            gesture.key = note.key as f32;
        }
        for gesture in range(line, begin, scooped) {
            gesture.key -= scoop;
        }
        if self.alone {
            // An audible breath before some phrases.
            if singer.vowels.is_empty() && dice.chance(0.3) {
                let from = begin.saturating_sub(at(0.32));
                for gesture in range(line, from, begin.saturating_sub(at(0.05))) {
                    gesture.breath = gesture.breath.max(singer.breath * 0.5);
                }
            }
        }
        consonant(self.onset, singer, effort, begin, vowel_from, line);
        consonant(self.coda, singer, effort * 0.7, vowel_to, at(end_s), line);
    }
}

/// The gestures of a stretch, empty where it lies outside.
fn range(line: &mut [Gesture], from: usize, to: usize) -> &mut [Gesture] {
    let to = to.min(line.len());
    &mut line[from.min(to)..to]
}

fn consonant(
    kind: Consonant,
    singer: &Singer,
    effort: f32,
    from: usize,
    to: usize,
    line: &mut [Gesture],
) {
    let release = to.saturating_sub(at(0.014));
    for (index, gesture) in range(line, from, to).iter_mut().enumerate() {
        let (mut voicing, mut breath, mut hiss) = (0.0, 0.0, 0.0);
        match kind {
            Consonant::None => return,
            Consonant::Stop { voiced, burst_hz } => {
                voicing = if voiced { 0.12 } else { 0.0 };
                gesture.shape = vowels::nasal(0.0);
                gesture.hiss_hz = burst_hz;
                if from + index >= release {
                    hiss = if voiced { 0.45 } else { 1.0 };
                    breath = if voiced { 0.1 } else { 0.5 };
                }
            }
            Consonant::Fricative { voiced, hz, level } => {
                voicing = if voiced { 0.3 } else { 0.0 };
                hiss = level * if voiced { 0.5 } else { 1.0 };
                gesture.hiss_hz = hz;
            }
            Consonant::Aspirate => breath = 0.6,
            Consonant::Nasal { place } => {
                voicing = 0.55;
                gesture.shape = vowels::nasal(place);
            }
            Consonant::Liquid { rhotic } => {
                voicing = 0.75;
                gesture.shape = vowels::liquid(rhotic);
            }
            Consonant::Glide { vowel } => {
                voicing = 0.8;
                gesture.shape = singer.voice.vowel(vowel);
            }
        }
        gesture.voicing = voicing * effort;
        gesture.breath = breath * effort * 0.5;
        gesture.hiss = hiss * effort * singer.hiss;
    }
}

/// Turns targets into movement, and adds vibrato and drift to the pitch.
fn smooth(singer: &Singer, dice: &mut Dice, line: &mut [Gesture]) {
    let step_s = STEP as f32 / RATE;
    let follow = |time_s: f32| intonation::follow(step_s, time_s);
    let (quick, mouth) = (follow(0.006), follow(0.018));
    let Some(mut now) = line.first().copied() else {
        return;
    };
    let mut pitch = Intonation::new(singer, dice, now.key, step_s);
    for gesture in line.iter_mut() {
        let target = *gesture;
        let (key, swell) = pitch.next(singer, dice, target.key, target.voicing >= 0.01);
        now.voicing += (target.voicing - now.voicing)
            * if target.voicing > now.voicing {
                follow(singer.attack_s)
            } else {
                follow(0.012)
            };
        now.breath += (target.breath - now.breath) * quick;
        now.hiss += (target.hiss - now.hiss) * follow(0.004);
        now.hiss_hz = target.hiss_hz;
        for formant in 0..vowels::FORMANTS {
            let toward = |from: &mut f32, to: f32| *from += (to - *from) * mouth;
            toward(
                &mut now.shape.centre_hz[formant],
                target.shape.centre_hz[formant],
            );
            toward(
                &mut now.shape.level_db[formant],
                target.shape.level_db[formant],
            );
            toward(
                &mut now.shape.width_hz[formant],
                target.shape.width_hz[formant],
            );
        }
        *gesture = now;
        gesture.key = key;
        gesture.voicing = now.voicing * swell;
        // Quiet tails end instead of lasting for ever.
        if gesture.voicing < 1e-3 {
            gesture.voicing = 0.0;
        }
        if gesture.breath < 2e-4 {
            gesture.breath = 0.0;
        }
        if gesture.hiss < 1e-3 {
            gesture.hiss = 0.0;
        }
    }
}
