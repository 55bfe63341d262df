//! What a step sequencer plays: a pattern of sixteenths on tones of the chords, over and over.

use super::{Form, Note};
use crate::render::dice::Dice;

/// Steps per beat.
const STEPS: usize = 4;

/// One step of a pattern.
#[derive(Clone, Debug)]
struct Step {
    /// Which tone of the chord, counted upwards.
    tone: usize,
    octave: i32,
    /// Length as a share of a step; above 1 the next note is slid into.
    gate: f64,
    velocity: f32,
}

/// A sequencer's line around `centre`, a MIDI key, in the sections where `present` says so.
pub(crate) fn sequence(dice: &mut Dice, form: &Form, centre: i32, present: &[bool]) -> Vec<Note> {
    let pattern = draw_pattern(dice, form.beats_per_bar);
    let mut notes = Vec::new();
    for (section, present) in form.sections.iter().zip(present) {
        if !present {
            continue;
        }
        for index in 0..section.bars * form.beats_per_bar * STEPS {
            let Some(step) = &pattern[index % pattern.len()] else {
                continue;
            };
            let beat = index as f64 / STEPS as f64;
            let keys = section.chord_at(beat).voicing(centre);
            let start_s = form.seconds_at(section.start + beat);
            let end_s = form.seconds_at(section.start + beat + step.gate / STEPS as f64);
            notes.push(Note {
                start_s,
                length_s: end_s - start_s,
                key: keys[step.tone % keys.len()] + 12 * step.octave,
                velocity: step.velocity,
                slurred: false,
            });
        }
    }
    notes
}

/// Half a bar to two bars of steps, some of them rests, the first never.
fn draw_pattern(dice: &mut Dice, beats_per_bar: usize) -> Vec<Option<Step>> {
    let bar = beats_per_bar * STEPS;
    let length = *dice.pick(&[bar / 2, bar, bar, 2 * bar]);
    let density = dice.between(0.35, 1.0);
    let gate = f64::from(dice.between(0.3, 1.05));
    (0..length)
        .map(|index| {
            let step = Step {
                tone: dice.index(4),
                octave: dice.weighted(&[1.0, 6.0, 1.5]) as i32 - 1,
                gate: if dice.chance(0.15) { 2.0 } else { gate },
                velocity: if dice.chance(0.25) { 0.95 } else { 0.65 },
            };
            (dice.chance(density) || index == 0).then_some(step)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::compose::{Section, Stem};

    /// Guards what makes it a sequencer: the same rhythm in every repetition, nothing else.
    #[test]
    fn the_pattern_repeats_until_the_section_ends() {
        for seed in 0..30 {
            let mut dice = Dice::new(seed, "form");
            let form = Form::plan(&mut dice, 30.0);
            let mut dice = Dice::new(seed, "sequence");
            let plays = |section: &Section| section.has(Stem::Other);
            let present: Vec<bool> = form.sections.iter().map(plays).collect();
            let notes = sequence(&mut dice, &form, 57, &present);
            let whole = form.sections.iter().filter(|s| s.has(Stem::Other));
            for section in whole {
                let start = section.start;
                let end = start + (section.bars * form.beats_per_bar) as f64;
                let longest = 2 * form.beats_per_bar;
                let steps = |from: f64, to: f64| -> Vec<usize> {
                    let inside = notes.iter().filter_map(|note| {
                        let mut steps = 0..((to - from) * STEPS as f64) as usize;
                        steps.find(|step| {
                            let beat = from + *step as f64 / STEPS as f64;
                            (form.seconds_at(beat) - note.start_s).abs() < 1e-9
                        })
                    });
                    inside.collect()
                };
                let first = steps(start, start + longest as f64);
                assert!(!first.is_empty(), "seed {seed}");
                if start + 2.0 * longest as f64 <= end {
                    let second = steps(start + longest as f64, start + 2.0 * longest as f64);
                    assert_eq!(first, second, "seed {seed}");
                }
            }
        }
    }
}
