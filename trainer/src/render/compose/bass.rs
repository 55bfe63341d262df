//! Bass lines under the chords.

use super::{Form, Genre, Note, Section, Stem};
use crate::render::dice::Dice;

#[derive(Clone, Copy)]
enum Line {
    /// Long roots.
    Held,
    /// Roots in steady eighths.
    Driving,
    /// Root and octave in alternation.
    Octaves,
    /// A chord or scale tone on every beat.
    Walking,
    /// A drawn rhythm of sixteenths, repeated every bar.
    Syncopated,
    /// Off the beat.
    Offbeat,
}

fn likely(genre: Genre) -> &'static [Line] {
    use Line::{Driving, Held, Octaves, Offbeat, Syncopated, Walking};
    match genre {
        Genre::Rock | Genre::Metal => &[Driving, Driving, Syncopated, Held],
        Genre::Funk => &[Syncopated, Syncopated, Octaves],
        Genre::House => &[Offbeat, Octaves, Syncopated],
        Genre::Jazz => &[Walking],
        Genre::Ballad => &[Held, Held, Syncopated, Walking],
        Genre::Trap | Genre::HipHop => &[Held, Syncopated],
        Genre::Reggae | Genre::Latin => &[Syncopated, Walking, Syncopated],
        Genre::Country => &[Walking, Octaves, Held],
        Genre::Pop | Genre::Breaks => &[Driving, Syncopated, Held, Octaves, Offbeat],
    }
}

/// All bass notes of the song. Keys lie within 26..=52.
pub(crate) fn bass_line(dice: &mut Dice, form: &Form) -> Vec<Note> {
    let lines = likely(form.genre);
    let (verse, chorus) = (*dice.pick(lines), *dice.pick(lines));
    let bassist = Bassist {
        form,
        lowest: dice.whole(26, 33),
        rhythm: draw_rhythm(dice, form.beats_per_bar),
    };
    let detached = f64::from(dice.between(0.55, 1.0));
    let mut notes = Vec::new();
    for section in form
        .sections
        .iter()
        .filter(|section| section.has(Stem::Bass))
    {
        let line = if section.kind == "chorus" {
            chorus
        } else {
            verse
        };
        let line = if section.energy < 0.3 && dice.chance(0.5) {
            Line::Held
        } else {
            line
        };
        let mut events = Vec::new();
        for bar in 0..section.bars {
            let beat = (bar * form.beats_per_bar) as f64;
            bassist.bar(dice, section, beat, line, &mut events);
        }
        for (beat, length, key, velocity) in events {
            let start_s = form.seconds_at(section.start + beat);
            let end_s = form.seconds_at(section.start + beat + length);
            let held = if matches!(line, Line::Held) {
                0.97
            } else {
                detached
            };
            notes.push(Note {
                start_s: (start_s + f64::from(dice.bell(0.005))).max(0.0),
                length_s: ((end_s - start_s) * held).max(0.05),
                key: key.clamp(26, 55),
                velocity: (velocity * (1.0 + dice.bell(0.08))).clamp(0.2, 1.0),
                slurred: false,
            });
        }
    }
    notes
}

/// Starts and lengths in beats of a bar's rhythm, the first on the one.
fn draw_rhythm(dice: &mut Dice, beats: usize) -> Vec<(f64, f64)> {
    let steps = beats * 4;
    let mut starts = vec![0];
    for step in 2..steps {
        let odds = match step % 4 {
            0 => 0.3,
            2 => 0.4,
            3 => 0.28,
            _ => 0.1,
        };
        if dice.chance(odds) {
            starts.push(step);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([steps]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| (*start as f64 / 4.0, (end - start) as f64 / 4.0))
        .collect()
}

/// What stays the same in a song's bass line.
struct Bassist<'a> {
    form: &'a Form,
    /// Roots lie within the octave above this key.
    lowest: i32,
    /// Starts and lengths in beats of the syncopated bar.
    rhythm: Vec<(f64, f64)>,
}

/// Start, length, key, velocity; times in beats from the section's start.
type Event = (f64, f64, i32, f32);

impl Bassist<'_> {
    /// Plays the bar that starts `bar_beat` beats into the section.
    fn bar(
        &self,
        dice: &mut Dice,
        section: &Section,
        bar_beat: f64,
        line: Line,
        events: &mut Vec<Event>,
    ) {
        let Self {
            form,
            lowest,
            rhythm,
        } = self;
        let beats = form.beats_per_bar as f64;
        let root_at = |beat: f64| {
            let root = section.chord_at(beat).root;
            lowest + (root - lowest).rem_euclid(12)
        };
        match line {
            Line::Held => {
                let half = beats / 2.0;
                for part in 0..2 {
                    let beat = bar_beat + f64::from(part) * half;
                    let same = part == 1 && root_at(beat) == root_at(bar_beat);
                    if same {
                        if let Some(last) = events.last_mut() {
                            last.1 += half;
                        }
                    } else {
                        events.push((beat, half, root_at(beat), 0.85));
                    }
                }
            }
            Line::Driving => {
                for eighth in 0..form.beats_per_bar * 2 {
                    let beat = bar_beat + eighth as f64 / 2.0;
                    let accent = if eighth % 2 == 0 { 0.9 } else { 0.72 };
                    let lift = if dice.chance(0.04) { 7 } else { 0 };
                    events.push((beat, 0.5, root_at(beat) + lift, accent));
                }
            }
            Line::Octaves => {
                for eighth in 0..form.beats_per_bar * 2 {
                    let beat = bar_beat + eighth as f64 / 2.0;
                    events.push((beat, 0.45, root_at(beat) + 12 * (eighth as i32 % 2), 0.8));
                }
            }
            Line::Offbeat => {
                for quarter in 0..form.beats_per_bar {
                    let beat = bar_beat + quarter as f64 + 0.5;
                    events.push((beat, 0.45, root_at(beat), 0.85));
                    if dice.chance(0.2) {
                        events.push((beat + 0.25, 0.22, root_at(beat) + 12, 0.6));
                    }
                }
            }
            Line::Walking => {
                for quarter in 0..form.beats_per_bar {
                    let beat = bar_beat + quarter as f64;
                    let chord = section.chord_at(beat);
                    let root = root_at(beat);
                    let key = match quarter {
                        0 => root,
                        _ if quarter + 1 == form.beats_per_bar => {
                            // Lead into the next bar's root by a half step.
                            root_at(bar_beat + beats) + if dice.chance(0.5) { 1 } else { -1 }
                        }
                        _ => root + chord.intervals[dice.index(chord.intervals.len())] % 12,
                    };
                    events.push((beat, 0.95, key, 0.8));
                    if dice.chance(0.1) {
                        events.push((beat + 0.5, 0.4, key, 0.5));
                    }
                }
            }
            Line::Syncopated => {
                for (index, (start, length)) in rhythm.iter().enumerate() {
                    let beat = bar_beat + start;
                    let chord = section.chord_at(beat);
                    let root = root_at(beat);
                    let key = match dice.weighted(&[6.0, 1.5, 1.2, 0.8]) {
                        _ if index == 0 => root,
                        0 => root,
                        1 => root + 12,
                        2 => root + chord.intervals.get(2).copied().unwrap_or(7) % 12,
                        _ => form.mode.nearest(form.tonic, root - dice.whole(1, 3)),
                    };
                    let accent = if index == 0 { 0.95 } else { 0.75 };
                    events.push((beat, *length, key, accent));
                }
            }
        }
    }
}
