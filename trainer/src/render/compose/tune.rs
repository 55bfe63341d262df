//! Melodies: for the singer, and for instruments that lead where nobody sings.

use super::{Form, Note, Section};
use crate::render::dice::Dice;

/// Where and how a melody moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TuneStyle {
    /// Lowest key.
    pub(crate) low: i32,
    /// Highest key.
    pub(crate) high: i32,
    /// Notes per beat, roughly: 0.5 is calm, 2 is rap-like.
    pub(crate) density: f32,
    /// Odds that a note continues the syllable of the one before.
    pub(crate) slur_odds: f32,
    /// Odds that a phrase of two bars is left out.
    pub(crate) rest_odds: f32,
}

/// A phrase before it meets the chords: starts, lengths and steps through the scale.
#[derive(Clone)]
struct Motif {
    notes: Vec<(f64, f64, i32)>,
}

/// The melody over all sections for which `sings` is true.
pub(crate) fn tune(
    dice: &mut Dice,
    form: &Form,
    style: TuneStyle,
    sings: impl Fn(&Section) -> bool,
) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let motifs = [0, 1, 2, 3].map(|_| draw_motif(dice, form.beats_per_bar, style));
    for section in form.sections.iter().filter(|section| sings(section)) {
        let offset = if section.kind == "chorus" { 2 } else { 0 };
        let mut key = (style.low + style.high) / 2 + dice.whole(-3, 3);
        for (phrase, first_bar) in (0..section.bars).step_by(2).enumerate() {
            if phrase > 0 && dice.chance(style.rest_odds) {
                continue;
            }
            let mut motif = motifs[offset + phrase % 2].clone();
            if dice.chance(0.3) {
                motif = draw_motif(dice, form.beats_per_bar, style);
            }
            let room = ((section.bars - first_bar).min(2) * form.beats_per_bar) as f64;
            let start = (first_bar * form.beats_per_bar) as f64;
            for (index, (beat, length, step)) in motif.notes.iter().enumerate() {
                if *beat >= room - 0.2 {
                    break;
                }
                key = place(form, section, start + beat, key + step, style);
                let beat = section.start + start + beat;
                let start_s = form.seconds_at(beat);
                let end_s = form.seconds_at(beat + length);
                notes.push(Note {
                    start_s: (start_s + f64::from(dice.bell(0.012))).max(0.0),
                    length_s: (end_s - start_s).max(0.08),
                    key,
                    velocity: (0.6 + 0.3 * section.energy + dice.bell(0.08)).clamp(0.3, 1.0),
                    slurred: index > 0 && dice.chance(style.slur_odds),
                });
            }
        }
    }
    no_overlaps(&mut notes);
    notes
}

/// Two bars of rhythm and steps, with a breath at the end.
fn draw_motif(dice: &mut Dice, beats_per_bar: usize, style: TuneStyle) -> Motif {
    let total = (beats_per_bar * 2) as f64;
    let breath = f64::from(dice.between(0.4, 2.2)).min(total / 2.0);
    let mut beat = *dice.pick(&[0.0, 0.0, 0.5, 1.0, 0.25]);
    let mut notes = Vec::new();
    let mut direction = if dice.chance(0.5) { 1 } else { -1 };
    while beat < total - breath {
        let calm = 1.0 / style.density.max(0.2);
        let lengths = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0_f32];
        let weights = lengths.map(|length| {
            let off = (length / calm).ln();
            (-off * off * 1.6).exp()
                * if beat.fract() == 0.0 || length <= 0.5 {
                    1.0
                } else {
                    0.5
                }
        });
        let length = f64::from(lengths[dice.weighted(&weights)]).min(total - beat);
        if dice.chance(0.25) {
            direction = -direction;
        }
        let step = match dice.weighted(&[2.0, 5.0, 2.0, 0.8, 0.3]) {
            0 => 0,
            1 => 2 * direction,
            2 => 4 * direction,
            3 => 7 * direction,
            _ => -12 * direction,
        };
        notes.push((beat, length, step));
        beat += length;
    }
    Motif { notes }
}

/// Pulls a wished key into the range, the scale and, on the beat, the chord.
fn place(form: &Form, section: &Section, beat: f64, wish: i32, style: TuneStyle) -> i32 {
    let mut key = wish;
    while key > style.high {
        key -= if key - style.high > 5 { 12 } else { 5 };
    }
    while key < style.low {
        key += if style.low - key > 5 { 12 } else { 5 };
    }
    let chord = section.chord_at(beat);
    let on_beat = (beat.rem_euclid(2.0)) < 0.01;
    if on_beat {
        chord.nearest(key)
    } else {
        form.mode.nearest(form.tonic, key)
    }
}

/// One throat: a note ends before the next begins.
fn no_overlaps(notes: &mut Vec<Note>) {
    notes.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    notes.dedup_by(|next, previous| next.start_s < previous.start_s + 0.05);
    for index in 1..notes.len() {
        let next_s = notes[index].start_s;
        let note = &mut notes[index - 1];
        note.length_s = note.length_s.min(next_s - note.start_s);
    }
}
