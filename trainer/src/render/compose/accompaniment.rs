//! The parts of the `other` stem that follow the chords: pads, comping, arpeggios, riffs.

use super::{Form, Genre, Note, Section, Stem};
use crate::render::dice::Dice;

/// How a part plays the chords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accompaniment {
    /// Held chords.
    Pad,
    /// Chords in a drawn rhythm.
    Comping,
    /// Chords on the offbeats only.
    Skank,
    /// Steady eighths, strummed: the tones a few milliseconds apart.
    Strumming,
    /// One tone at a time in eighths or sixteenths.
    Arpeggio,
    /// A short figure on the chords' roots and scale, repeated: power chords and riffs.
    Riff,
}

/// A way of playing that suits the genre.
pub(crate) fn likely(dice: &mut Dice, genre: Genre) -> Accompaniment {
    use Accompaniment::{Arpeggio, Comping, Pad, Riff, Skank, Strumming};
    let list: &[Accompaniment] = match genre {
        Genre::Rock | Genre::Metal => &[Strumming, Riff, Riff, Pad, Comping],
        Genre::Reggae => &[Skank, Skank, Pad, Comping],
        Genre::Ballad => &[Arpeggio, Pad, Strumming, Comping],
        Genre::Jazz | Genre::Funk => &[Comping, Comping, Riff, Pad],
        Genre::House | Genre::Trap => &[Pad, Arpeggio, Skank, Comping],
        _ => &[Pad, Comping, Strumming, Arpeggio, Riff],
    };
    *dice.pick(list)
}

/// All notes of one part. It sits out in the sections where `present` is false.
pub(crate) fn accompany(
    dice: &mut Dice,
    form: &Form,
    style: Accompaniment,
    centre: i32,
    present: &[bool],
) -> Vec<Note> {
    let rhythm = draw_rhythm(dice, form.beats_per_bar, style);
    let step = if dice.chance(0.5) { 0.25 } else { 0.5 };
    let order = dice.index(4);
    let strum_s = if style == Accompaniment::Strumming {
        dice.between(0.008, 0.03)
    } else {
        0.003
    };
    let detached = f64::from(dice.between(0.45, 1.0));
    let figure: Vec<i32> = (0..8).map(|_| dice.whole(0, 4)).collect();
    let mut notes = Vec::new();
    let sections = form
        .sections
        .iter()
        .zip(present.iter().chain(std::iter::repeat(&true)));
    for (section, present) in sections {
        if !section.has(Stem::Other) || !present {
            continue;
        }
        let mut push = |dice: &mut Dice, beat: f64, length: f64, keys: &[i32], accent: f32| {
            let start_s = form.seconds_at(section.start + beat);
            let end_s = form.seconds_at(section.start + beat + length);
            let loose = f64::from(dice.bell(0.006));
            for (index, key) in keys.iter().enumerate() {
                let spread = f64::from(strum_s) * index as f64;
                notes.push(Note {
                    start_s: (start_s + loose + spread).max(0.0),
                    length_s: (end_s - start_s).max(0.06),
                    key: *key,
                    velocity: (accent * (1.0 + dice.bell(0.08))).clamp(0.15, 1.0),
                    slurred: false,
                });
            }
        };
        match style {
            Accompaniment::Pad => {
                for (index, (beat, chord)) in section.chords.iter().enumerate() {
                    let end = section
                        .chords
                        .get(index + 1)
                        .map_or((section.bars * form.beats_per_bar) as f64, |next| next.0);
                    push(dice, *beat, end - beat, &chord.voicing(centre), 0.65);
                }
            }
            Accompaniment::Arpeggio => {
                arpeggio(
                    section,
                    form,
                    step,
                    order,
                    centre,
                    |beat, length, key, accent| {
                        push(dice, beat, length, &[key], accent);
                    },
                );
            }
            _ => {
                for bar in 0..section.bars {
                    for (index, (start, length)) in rhythm.iter().enumerate() {
                        let beat = (bar * form.beats_per_bar) as f64 + start;
                        let chord = section.chord_at(beat);
                        let keys = if style == Accompaniment::Riff {
                            riff_keys(form, chord.root, centre, figure[index % figure.len()])
                        } else {
                            chord.voicing(centre)
                        };
                        let accent = if start.fract() == 0.0 { 0.8 } else { 0.65 };
                        push(dice, beat, length * detached, &keys, accent);
                    }
                }
            }
        }
    }
    notes
}

fn draw_rhythm(dice: &mut Dice, beats: usize, style: Accompaniment) -> Vec<(f64, f64)> {
    match style {
        Accompaniment::Skank => (0..beats).map(|beat| (beat as f64 + 0.5, 0.3)).collect(),
        Accompaniment::Strumming => {
            let mut strokes: Vec<f64> = (0..beats * 2).map(|eighth| eighth as f64 / 2.0).collect();
            strokes.retain(|start| *start == 0.0 || dice.chance(0.78));
            strokes.iter().map(|start| (*start, 0.6)).collect()
        }
        _ => {
            let mut strokes = Vec::new();
            for step in 0..beats * 4 {
                let odds = [0.75, 0.05, 0.4, 0.18][step % 4];
                if step == 0 && dice.chance(0.8) || dice.chance(odds) {
                    strokes.push((step as f64 / 4.0, *dice.pick(&[0.25, 0.5, 0.5, 1.0])));
                }
            }
            if strokes.is_empty() {
                strokes.push((0.0, 2.0));
            }
            strokes
        }
    }
}

fn arpeggio(
    section: &Section,
    form: &Form,
    step: f64,
    order: usize,
    centre: i32,
    mut play: impl FnMut(f64, f64, i32, f32),
) {
    let total = ((section.bars * form.beats_per_bar) as f64 / step) as usize;
    for index in 0..total {
        let beat = index as f64 * step;
        let mut keys = section.chord_at(beat).voicing(centre);
        keys.push(keys[0] + 12);
        let count = keys.len();
        let place = match order {
            0 => index % count,
            1 => count - 1 - index % count,
            2 => {
                let turn = index % (2 * count - 2).max(1);
                if turn < count {
                    turn
                } else {
                    2 * count - 2 - turn
                }
            }
            _ => (index * 5 + index / count) % count,
        };
        play(
            beat,
            step * 1.5,
            keys[place],
            if index % 4 == 0 { 0.8 } else { 0.6 },
        );
    }
}

/// Root and fifth on a scale step above the chord's root, low enough for a guitar.
fn riff_keys(form: &Form, root: i32, centre: i32, step: i32) -> Vec<i32> {
    let base = centre - 12 + (root - centre).rem_euclid(12);
    let key = form
        .mode
        .nearest(form.tonic, base + [0, 0, 3, 5, 7][step as usize % 5]);
    vec![key, key + 7]
}
