//! Scales, chords and progressions.

use super::Genre;
use crate::render::dice::Dice;

/// A seven-note scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Major,
    Minor,
    Dorian,
    Mixolydian,
    Phrygian,
    HarmonicMinor,
}

impl Mode {
    const ALL: [(Mode, f32, &'static str, [i32; 7]); 6] = [
        (Mode::Major, 3.0, "major", [0, 2, 4, 5, 7, 9, 11]),
        (Mode::Minor, 3.0, "minor", [0, 2, 3, 5, 7, 8, 10]),
        (Mode::Dorian, 1.2, "dorian", [0, 2, 3, 5, 7, 9, 10]),
        (Mode::Mixolydian, 1.2, "mixolydian", [0, 2, 4, 5, 7, 9, 10]),
        (Mode::Phrygian, 0.4, "phrygian", [0, 1, 3, 5, 7, 8, 10]),
        (
            Mode::HarmonicMinor,
            0.5,
            "harmonic minor",
            [0, 2, 3, 5, 7, 8, 11],
        ),
    ];

    /// A scale by chance.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let weights = Self::ALL.map(|(_, weight, ..)| weight);
        Self::ALL[dice.weighted(&weights)].0
    }

    /// Its name in `song.json`.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].2
    }

    /// Semitones above the tonic of the seven degrees.
    pub(crate) fn degrees(self) -> [i32; 7] {
        Self::ALL[self as usize].3
    }

    /// The key nearest to `key` that lies in the scale on `tonic`; ties go down.
    pub(crate) fn nearest(self, tonic: i32, key: i32) -> i32 {
        let inside = |key: i32| self.degrees().contains(&(key - tonic).rem_euclid(12));
        (0..12)
            .flat_map(|distance| [key - distance, key + distance])
            .find(|candidate| inside(*candidate))
            .unwrap_or(key)
    }
}

/// A chord: its root and what stands on it.
#[derive(Clone, Debug)]
pub(crate) struct Chord {
    /// Pitch class of the root.
    pub(crate) root: i32,
    /// Semitones above the root, the root first.
    pub(crate) intervals: Vec<i32>,
}

impl Chord {
    /// Whether a key belongs to the chord.
    pub(crate) fn contains(&self, key: i32) -> bool {
        let class = (key - self.root).rem_euclid(12);
        self.intervals.iter().any(|interval| interval % 12 == class)
    }

    /// The chord tone nearest to `key`.
    pub(crate) fn nearest(&self, key: i32) -> i32 {
        (0..12)
            .flat_map(|distance| [key - distance, key + distance])
            .find(|candidate| self.contains(*candidate))
            .unwrap_or(key)
    }

    /// The chord's tones around `centre`, as close to it as each of them can be, low to high.
    pub(crate) fn voicing(&self, centre: i32) -> Vec<i32> {
        let mut keys: Vec<i32> = self
            .intervals
            .iter()
            .map(|interval| {
                let class = (self.root + interval).rem_euclid(12);
                centre - 6 + (class - (centre - 6)).rem_euclid(12)
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// A chord on a degree (0..=6) of the scale, with thirds stacked within the scale.
fn chord_on(mode: Mode, tonic: i32, degree: usize, tones: usize) -> Chord {
    let scale = mode.degrees();
    let step = |index: usize| scale[index % 7] + 12 * (index / 7) as i32;
    let root = step(degree);
    Chord {
        root: (tonic + root).rem_euclid(12),
        intervals: (0..tones)
            .map(|third| step(degree + 2 * third) - root)
            .collect(),
    }
}

/// Chords with lengths in bars, 2, 4 or 8 bars together.
pub(crate) fn progression(
    dice: &mut Dice,
    mode: Mode,
    tonic: i32,
    genre: Genre,
) -> Vec<(f64, Chord)> {
    let bars = [2, 4, 4, 4, 8][dice.index(5)];
    let sevenths = match genre {
        Genre::Jazz => 0.9,
        Genre::Funk | Genre::House | Genre::HipHop => 0.5,
        Genre::Rock | Genre::Metal | Genre::Country => 0.08,
        _ => 0.2,
    };
    let busy = if genre == Genre::Jazz { 0.35 } else { 0.12 };
    let mut chords = Vec::new();
    let mut degree = if dice.chance(0.75) {
        0
    } else {
        *dice.pick(&[3, 5, 1])
    };
    for _ in 0..bars {
        let parts = if dice.chance(busy) { 2 } else { 1 };
        for _ in 0..parts {
            chords.push((
                1.0 / f64::from(parts),
                colour(dice, mode, tonic, degree, sevenths, genre),
            ));
            degree = next_degree(dice, degree);
        }
    }
    chords
}

fn colour(
    dice: &mut Dice,
    mode: Mode,
    tonic: i32,
    degree: usize,
    sevenths: f32,
    genre: Genre,
) -> Chord {
    let tones = if dice.chance(sevenths) {
        4 + usize::from(dice.chance(0.3))
    } else {
        3
    };
    let mut chord = chord_on(mode, tonic, degree, tones);
    if matches!(genre, Genre::Rock | Genre::Metal) && dice.chance(0.4) {
        chord.intervals = vec![0, 7];
    } else if tones == 3 && dice.chance(0.12) {
        // Suspended: a fourth or a second in place of the third.
        chord.intervals[1] = if dice.chance(0.5) { 5 } else { 2 };
    } else if tones == 3 && dice.chance(0.1) {
        chord.intervals.push(14);
    }
    chord
}

/// Where a chord on `degree` likes to go: fifths down, steps and the tonic above all.
fn next_degree(dice: &mut Dice, degree: usize) -> usize {
    const TENDENCY: [[f32; 7]; 7] = [
        [0.5, 1.0, 0.7, 3.0, 2.5, 2.2, 0.5],
        [1.0, 0.2, 0.3, 1.0, 3.0, 0.5, 0.4],
        [0.5, 0.8, 0.1, 2.0, 0.4, 2.5, 0.2],
        [2.2, 1.0, 0.4, 0.3, 2.6, 0.8, 0.6],
        [3.0, 0.3, 0.4, 1.4, 0.3, 2.0, 0.2],
        [1.0, 1.6, 0.6, 2.4, 1.6, 0.2, 0.5],
        [2.0, 0.2, 1.2, 0.4, 0.8, 1.0, 0.1],
    ];
    dice.weighted(&TENDENCY[degree])
}
