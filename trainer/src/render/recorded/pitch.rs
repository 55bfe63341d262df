//! Recorded notes: which key a file holds, and instruments made of them.
//!
//! Libraries disagree on octave numbers, so the name gives the note within the octave and the
//! sound itself says which octave.

use std::path::Path;

use super::{decode, list, lower_name, trim};
use crate::render::instruments::{
    RATE, hz,
    sampler::{SampledNote, Sampler},
};

/// A note before its octave is known.
struct Unplaced {
    class: i32,
    octave: Option<i32>,
    measured: Option<i32>,
    level: f32,
    audio: Vec<f32>,
}

/// Reads an instrument: a file per note.
pub(super) fn load_instrument(folder: &Path) -> anyhow::Result<Sampler> {
    let (_, files) = list(folder)?;
    let mut unplaced = Vec::new();
    for file in files {
        let Some((class, octave)) = named_note(&lower_name(&file)) else {
            continue;
        };
        let mut audio = decode(&file)?;
        trim(&mut audio, 4.0);
        let [left, right] = audio;
        let mono: Vec<f32> = std::iter::zip(&left, &right)
            .map(|(left, right)| 0.5 * (left + right))
            .collect();
        let level = mono
            .iter()
            .fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
        if level < 1e-3 {
            continue;
        }
        let measured = measured_key(&mono, class);
        let audio = mono.iter().map(|sample| sample / level).collect();
        unplaced.push(Unplaced {
            class,
            octave,
            measured,
            level,
            audio,
        });
    }
    let convention = octave_convention(&unplaced);
    let mut notes: Vec<SampledNote> = unplaced
        .into_iter()
        .filter_map(|note| {
            let named = note.octave.zip(convention);
            let named = named.map(|(octave, shift)| note.class + 12 * octave + shift);
            let key = named.or(note.measured)?;
            Some(SampledNote {
                key,
                level: note.level,
                audio: note.audio,
            })
        })
        .collect();
    anyhow::ensure!(
        !notes.is_empty(),
        "no notes in {}: file names must begin with the note, e.g. eb2_soft.ogg",
        folder.display()
    );
    notes.sort_by(|a, b| a.key.cmp(&b.key).then(a.level.total_cmp(&b.level)));
    Ok(Sampler { notes })
}

/// What to add to `class + 12 * octave` for the true key: the library's convention, by majority
/// of its sounds, since single ones are misheard now and then.
fn octave_convention(notes: &[Unplaced]) -> Option<i32> {
    let shifts: Vec<i32> = notes
        .iter()
        .filter_map(|note| Some(note.measured? - note.class - 12 * note.octave?))
        .collect();
    let votes = |shift: i32| shifts.iter().filter(|other| **other == shift).count();
    // One numbered file among unnumbered ones is an exception, no convention.
    let most = shifts
        .iter()
        .copied()
        .max_by_key(|shift| (votes(*shift), *shift))?;
    (shifts.len() * 2 > notes.len()).then_some(most)
}

/// The pitch class (0 is C) and octave number that a name begins with: `a2_f`, `eb1`, `As`, `F#3`.
fn named_note(name: &str) -> Option<(i32, Option<i32>)> {
    let note = name.split(['_', '-', ' ']).next()?;
    let mut letters = note.chars();
    let natural: i32 = match letters.next()?.to_ascii_lowercase() {
        'c' => 0,
        'd' => 2,
        'e' => 4,
        'f' => 5,
        'g' => 7,
        'a' => 9,
        'b' => 11,
        _ => return None,
    };
    let rest = letters.as_str();
    let shift = match rest.chars().next() {
        Some('b') => -1,
        Some('s' | '#') => 1,
        _ => 0,
    };
    let octave = if shift == 0 { rest } else { &rest[1..] };
    let numbered = octave.chars().all(|digit| digit.is_ascii_digit());
    numbered.then(|| ((natural + shift).rem_euclid(12), octave.parse().ok()))
}

/// The key of this pitch class that the sound has, by autocorrelation; `None` if it has no pitch.
fn measured_key(mono: &[f32], class: i32) -> Option<i32> {
    // After the attack, long enough for four periods of the lowest note.
    let start = ((0.08 * RATE) as usize).min(mono.len() / 4);
    let window = &mono[start..mono.len().min(start + (0.3 * RATE) as usize)];
    // A low note hardly changes within a few samples: only lags after the first fall count.
    let first_fall = (8..800).find(|lag| similarity(window, *lag) < 0.3)?;
    let score = |key: i32| {
        // The best lag within a third of a semitone.
        (-3..=3)
            .map(|part| RATE / hz(key as f32 + part as f32 * 0.1))
            .map(|lag| similarity(window, lag.round() as usize))
            .fold(f32::MIN, f32::max)
    };
    let candidates: Vec<(i32, f32)> = (21..=96_i32)
        .filter(|key| key.rem_euclid(12) == class && RATE / hz(*key as f32) > first_fall as f32)
        .map(|key| (key, score(key)))
        .collect();
    let best = candidates
        .iter()
        .map(|candidate| candidate.1)
        .fold(f32::MIN, f32::max);
    // Every multiple of the period matches as well: the highest good key is the true one.
    candidates
        .iter()
        .rev()
        .find(|candidate| best > 0.3 && candidate.1 > best * 0.88)
        .map(|found| found.0)
}

/// Normalised correlation of a window with itself `lag` frames later.
fn similarity(window: &[f32], lag: usize) -> f32 {
    if lag == 0 || lag * 2 > window.len() {
        return f32::MIN;
    }
    let (now, later) = (&window[..window.len() - lag], &window[lag..]);
    let product: f32 = now.iter().zip(later).map(|(a, b)| a * b).sum();
    let power = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>();
    product / (power(now) * power(later)).sqrt().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_names_of_all_conventions_are_read() {
        let names = [
            ("a2_f_rr1", Some((9, Some(2)))),
            ("eb1_vl1", Some((3, Some(1)))),
            ("as", Some((10, None))),
            ("b1", Some((11, Some(1)))),
            ("bb3", Some((10, Some(3)))),
            ("f#3", Some((6, Some(3)))),
            ("perc1", None),
            ("amp", None),
        ];
        for (name, note) in names {
            assert_eq!(named_note(name), note, "{name}");
        }
    }

    /// Octave numbers in names cannot be trusted, and a period's multiples look like lower notes.
    #[test]
    fn the_octave_is_heard() {
        for key in [28, 40, 45, 52, 64] {
            let tone: Vec<f32> = (0..30_000)
                .map(|frame| {
                    let turn = hz(key as f32) * frame as f32 / RATE * std::f32::consts::TAU;
                    turn.sin() + 0.6 * (2.0 * turn).sin() + 0.3 * (3.0 * turn).sin()
                })
                .collect();
            assert_eq!(measured_key(&tone, key % 12), Some(key));
        }
    }

    /// Dull sounds hardly change within the periods of very high notes, and looked like them.
    #[test]
    fn a_low_sine_is_no_high_note() {
        let tone: Vec<f32> = (0..30_000)
            .map(|frame| (hz(33.0) * frame as f32 / RATE * std::f32::consts::TAU).sin())
            .collect();
        assert_eq!(measured_key(&tone, 9), Some(33));
    }

    #[test]
    fn misheard_notes_are_outvoted() {
        let note = |class, octave, measured| Unplaced {
            class,
            octave: Some(octave),
            measured,
            level: 1.0,
            audio: Vec::new(),
        };
        // A library that calls MIDI key 33 `a2`, with one note heard an octave too high.
        let notes = [
            note(9, 2, Some(33)),
            note(0, 3, Some(36)),
            note(4, 2, Some(40)),
            note(1, 2, None),
        ];
        assert_eq!(octave_convention(&notes), Some(0));
    }
}
