//! What a song is made of before the first note: genre, tempo, key, sections and who plays in them.

use super::harmony::{Chord, Mode, progression};
use crate::render::dice::Dice;

/// The four stems, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stem {
    /// Drums and percussion.
    Drums,
    /// Bass.
    Bass,
    /// Everything else.
    Other,
    /// Singing.
    Vocals,
}

/// A style: decides the likely tempo, patterns and instruments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Genre {
    Pop,
    Rock,
    Metal,
    Funk,
    HipHop,
    House,
    Breaks,
    Ballad,
    Jazz,
    Reggae,
    Latin,
    Trap,
    Country,
}

impl Genre {
    const ALL: [(Genre, f32, (f32, f32), &'static str); 13] = [
        (Genre::Pop, 2.0, (92.0, 132.0), "pop"),
        (Genre::Rock, 2.0, (100.0, 168.0), "rock"),
        (Genre::Metal, 0.9, (120.0, 175.0), "metal"),
        (Genre::Funk, 1.1, (92.0, 122.0), "funk"),
        (Genre::HipHop, 1.1, (76.0, 102.0), "hip-hop"),
        (Genre::House, 1.1, (114.0, 132.0), "house"),
        (Genre::Breaks, 0.8, (140.0, 175.0), "breaks"),
        (Genre::Ballad, 1.3, (70.0, 92.0), "ballad"),
        (Genre::Jazz, 0.8, (92.0, 170.0), "jazz"),
        (Genre::Reggae, 0.7, (70.0, 96.0), "reggae"),
        (Genre::Latin, 0.8, (90.0, 128.0), "latin"),
        (Genre::Trap, 0.9, (70.0, 84.0), "trap"),
        (Genre::Country, 0.8, (88.0, 140.0), "country"),
    ];

    fn draw(dice: &mut Dice) -> (Genre, (f32, f32)) {
        let weights = Self::ALL.map(|(_, weight, ..)| weight);
        let (genre, _, tempo, _) = Self::ALL[dice.weighted(&weights)];
        (genre, tempo)
    }

    /// Its name in `song.json`.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(genre, ..)| *genre == self)
            .map_or("", |entry| entry.3)
    }
}

/// A stretch of whole bars with one chord progression and one set of players.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// `intro`, `verse`, `chorus`, `break` or `solo`.
    pub(crate) kind: &'static str,
    /// First beat.
    pub(crate) start: f64,
    /// Whole bars.
    pub(crate) bars: usize,
    /// Which stems play, in stem order.
    pub(crate) plays: [bool; 4],
    /// How full the arrangement is, 0..=1.
    pub(crate) energy: f32,
    /// Chords by starting beat, relative to the section; the first starts at 0.
    pub(crate) chords: Vec<(f64, Chord)>,
}

impl Section {
    /// The chord that sounds at a beat relative to the section's start.
    pub(crate) fn chord_at(&self, beat: f64) -> &Chord {
        let after = self
            .chords
            .partition_point(|(start, _)| *start <= beat + 1e-6);
        &self.chords[after.max(1) - 1].1
    }

    /// Whether a stem plays here.
    pub(crate) fn has(&self, stem: Stem) -> bool {
        self.plays[stem as usize]
    }
}

/// The song's plan.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// Style.
    pub(crate) genre: Genre,
    /// Beats per minute.
    pub(crate) tempo_bpm: f64,
    /// How late the second half of each swung pair comes: 0 straight, 1/3 triplets, in pairs.
    pub(crate) swing: f64,
    /// Whether eighths swing (else sixteenths).
    pub(crate) swings_eighths: bool,
    /// Beats in a bar.
    pub(crate) beats_per_bar: usize,
    /// Tonic as a pitch class, 0 is C.
    pub(crate) tonic: i32,
    /// Scale.
    pub(crate) mode: Mode,
    /// In order, without gaps.
    pub(crate) sections: Vec<Section>,
    /// Length of the song in seconds.
    pub(crate) seconds: f64,
}

impl Form {
    /// Plans a song of `seconds`.
    pub(crate) fn plan(dice: &mut Dice, seconds: f64) -> Self {
        let (genre, (slowest, fastest)) = Genre::draw(dice);
        let tempo_bpm = f64::from(dice.between(slowest, fastest).round());
        let (swings_eighths, swing) = match genre {
            Genre::Jazz => (true, dice.between(0.22, 0.34)),
            Genre::HipHop | Genre::Funk if dice.chance(0.6) => (false, dice.between(0.05, 0.25)),
            Genre::Ballad | Genre::Country | Genre::Reggae if dice.chance(0.3) => {
                (true, dice.between(0.2, 0.33))
            }
            _ => (false, 0.0),
        };
        let beats_per_bar = match genre {
            Genre::Ballad | Genre::Country | Genre::Jazz if dice.chance(0.2) => 3,
            _ => 4,
        };
        let mut form = Self {
            genre,
            tempo_bpm,
            swing: f64::from(swing),
            swings_eighths,
            beats_per_bar,
            tonic: dice.whole(0, 11),
            mode: Mode::draw(dice),
            sections: Vec::new(),
            seconds,
        };
        form.sections = form.plan_sections(dice);
        form
    }

    /// Length of a bar in seconds.
    pub(crate) fn bar_s(&self) -> f64 {
        self.beats_per_bar as f64 * 60.0 / self.tempo_bpm
    }

    /// The moment of a beat, with swing.
    pub(crate) fn seconds_at(&self, beat: f64) -> f64 {
        let pair = if self.swings_eighths { 1.0 } else { 0.5 };
        let (whole, within) = ((beat / pair).floor(), (beat / pair).rem_euclid(1.0));
        let middle = 0.5 + self.swing * 0.5;
        let bent = if within < 0.5 {
            within * 2.0 * middle
        } else {
            middle + (within - 0.5) * 2.0 * (1.0 - middle)
        };
        (whole + bent) * pair * 60.0 / self.tempo_bpm
    }

    fn plan_sections(&self, dice: &mut Dice) -> Vec<Section> {
        let total_bars = (self.seconds / self.bar_s()).ceil().max(1.0) as usize;
        let progressions = [0, 1, 2].map(|_| progression(dice, self.mode, self.tonic, self.genre));
        let bars_each = if total_bars >= 40 {
            8
        } else if total_bars >= 10 {
            4
        } else {
            2
        };
        let mut sections: Vec<Section> = Vec::new();
        let mut bars_done = 0;
        let mut index = 0;
        let order = [
            "intro", "verse", "chorus", "verse", "chorus", "break", "solo", "chorus",
        ];
        let first = usize::from(dice.chance(0.35));
        while bars_done < total_bars {
            let kind = order[(first + index) % order.len()];
            let bars = match kind {
                "intro" | "break" if dice.chance(0.5) => bars_each / 2,
                "chorus" if dice.chance(0.15) => bars_each * 2,
                _ => bars_each,
            }
            .min(total_bars - bars_done);
            let (plays, energy) = players(dice, kind);
            let source = match kind {
                "chorus" => &progressions[1],
                "break" => &progressions[2],
                _ => &progressions[0],
            };
            sections.push(Section {
                kind,
                start: (bars_done * self.beats_per_bar) as f64,
                bars,
                plays,
                energy,
                chords: self.lay_out(source, bars),
            });
            bars_done += bars;
            index += 1;
        }
        ensure_everybody_plays(dice, &mut sections);
        sections
    }

    /// Repeats a progression (chords with their lengths in bars) over a section.
    fn lay_out(&self, progression: &[(f64, Chord)], bars: usize) -> Vec<(f64, Chord)> {
        let bar = self.beats_per_bar as f64;
        let mut chords = Vec::new();
        let mut beat = 0.0;
        for (length_bars, chord) in progression.iter().cycle() {
            if beat >= bars as f64 * bar - 1e-6 {
                break;
            }
            chords.push((beat, chord.clone()));
            beat += length_bars * bar;
        }
        chords
    }
}

/// Who plays in a section of this kind, and how full it is.
fn players(dice: &mut Dice, kind: &str) -> ([bool; 4], f32) {
    let (odds, energy) = match kind {
        "intro" => ([0.6, 0.5, 0.9, 0.15], 0.4),
        "verse" => ([0.92, 0.92, 0.95, 0.93], 0.6),
        "chorus" => ([0.98, 0.98, 0.98, 0.97], 1.0),
        "break" => ([0.45, 0.45, 0.8, 0.5], 0.3),
        _ => ([0.95, 0.95, 1.0, 0.05], 0.85),
    };
    let mut plays = odds.map(|odd| dice.chance(odd));
    let alone = match kind {
        "break" => 0.35,
        "intro" => 0.2,
        _ => 0.02,
    };
    if dice.chance(alone) {
        // One stem by itself: a drum break, a bass run, a cappella.
        let stem = dice.weighted(&[1.0, 0.7, 1.0, 1.2]);
        plays = std::array::from_fn(|index| index == stem);
    }
    if !plays.contains(&true) {
        plays[Stem::Other as usize] = true;
    }
    (plays, (energy + dice.bell(0.12)).clamp(0.1, 1.0))
}

/// A song of several sections lets every stem be heard somewhere.
fn ensure_everybody_plays(dice: &mut Dice, sections: &mut [Section]) {
    if sections.len() < 2 {
        for section in sections.iter_mut() {
            section.plays = [true; 4];
        }
        return;
    }
    for stem in 0..4 {
        if !sections.iter().take(3).any(|section| section.plays[stem]) {
            let index = dice.index(sections.len().min(3));
            sections[index].plays[stem] = true;
        }
    }
}
