//! Voices that are played as an instrument: cut on the beat, frozen, smeared. They have no words and no
//! breath left, and are vocals all the same.

use super::Session;
use crate::render::{
    dice::Dice,
    instruments::{RATE, Stereo, frame_at},
    mix::effects,
};

/// Frames of the fades at a piece's ends.
const EDGE: f32 = 220.0;

/// Cuts, freezes and smears the voices of a part of the songs; says how.
pub(super) fn instrumental(session: &Session<'_>, audio: &mut Stereo) -> Vec<&'static str> {
    let mut dice = session.dice("voice pieces");
    let mut how = Vec::new();
    if !dice.chance(0.4) {
        return how;
    }
    if dice.chance(0.5) {
        freeze(session, &mut dice, audio);
        how.push("frozen");
    }
    if dice.chance(0.4) {
        chop(session, &mut dice, audio);
        how.push("chopped");
    }
    if dice.chance(0.6) {
        smear(&mut dice, audio);
        how.push("smeared");
    }
    how
}

/// Many voices slightly out of tune with each other, and nobody in the middle: every partial
/// becomes a band.
fn smear(dice: &mut Dice, audio: &mut Stereo) {
    for _ in 0..dice.whole(2, 4) {
        effects::widen(audio, dice.between(6.0, 45.0), dice.between(0.5, 1.0));
    }
}

/// Cuts the voice into pieces of sixteenths or eighths, and plays each several times, at another
/// pitch or gliding, whole or in part: vocal chops.
pub(super) fn chop(session: &Session<'_>, dice: &mut Dice, audio: &mut Stereo) {
    let step_s = 60.0 / session.form.tempo_bpm / if dice.chance(0.5) { 4.0 } else { 2.0 };
    let source = audio.clone();
    let (repeat_odds, shift_odds) = (dice.between(0.2, 0.6), dice.between(0.1, 0.5));
    let (glide_odds, gate_odds) = (dice.between(0.0, 0.4), dice.between(0.0, 0.4));
    let mut taken = 0;
    for (from, to) in steps(step_s, audio[0].len()) {
        if !dice.chance(repeat_odds) {
            taken = from;
        }
        let mut speed: f32 = if dice.chance(shift_odds) {
            *dice.pick(&[0.5, 0.749_15, 1.334_84, 1.498_31, 2.0])
        } else {
            1.0
        };
        // Up or down by a few semitones until the piece ends.
        let glide = if dice.chance(glide_odds) {
            (dice.between(-7.0, 7.0) / 12.0 / (to - from) as f32).exp2()
        } else {
            1.0
        };
        let open = if dice.chance(gate_odds) {
            dice.between(0.3, 0.9)
        } else {
            1.0
        };
        let end = from + ((to - from) as f32 * open) as usize;
        let mut place = taken as f32;
        for frame in from..to {
            let edge = faded(frame - from, end.saturating_sub(frame));
            for side in 0..2 {
                audio[side][frame] = effects::at(&source[side], place) * edge;
            }
            place += speed;
            speed *= glide;
        }
    }
}

/// Holds moments of the voice for a while, each as a cloud of its own grains.
fn freeze(session: &Session<'_>, dice: &mut Dice, audio: &mut Stereo) {
    let step_s = 60.0 / session.form.tempo_bpm * f64::from(*dice.pick(&[0.5_f32, 1.0, 2.0]));
    let odds = dice.between(0.2, 0.7);
    let source = audio.clone();
    for (from, to) in steps(step_s, audio[0].len()) {
        if dice.chance(odds) {
            hold(dice, &source, audio, from, to);
        }
    }
}

/// Fills a stretch with grains of what sounds soon after its beginning.
fn hold(dice: &mut Dice, source: &Stereo, audio: &mut Stereo, from: usize, to: usize) {
    const OVERLAP: isize = 4;
    // Grains do not know each other's phases: their powers add up, not their amplitudes.
    let level = (8.0 / 3.0 / OVERLAP as f32).sqrt();
    let grain = (dice.between(0.05, 0.14) * RATE) as isize;
    let moment = from as f32 + dice.between(0.02, 0.1) * RATE;
    let reach = dice.between(0.005, 0.04) * RATE;
    for side in 0..2 {
        audio[side][from..to].fill(0.0);
        // The first grain begins before the stretch: it has no rise of its own.
        let length = (to - from) as isize;
        let mut offset = -grain;
        while offset < length {
            let place = moment + dice.between(-reach, reach);
            for index in (-offset).max(0)..grain.min(length - offset) {
                let since = (offset + index) as usize;
                let turn = index as f32 / grain as f32 * std::f32::consts::PI;
                let heard = effects::at(&source[side], place + index as f32);
                let edge = faded(since, to - from - since);
                audio[side][from + since] += heard * turn.sin().powi(2) * level * edge;
            }
            offset += grain / OVERLAP;
        }
    }
}

/// First frame and end of steps that follow each other, until the song ends.
fn steps(step_s: f64, frames: usize) -> impl Iterator<Item = (usize, usize)> {
    let at = move |step: u32| frame_at(f64::from(step) * step_s).min(frames);
    (0..)
        .map(move |step| (at(step), at(step + 1)))
        .take_while(|(from, to)| from < to)
}

/// The level so many frames after a beginning and before an end.
fn faded(since: usize, left: usize) -> f32 {
    (since.min(left) as f32 / EDGE).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against holds that die with their source, click, or are silent.
    #[test]
    fn a_held_moment_lasts_until_its_end() {
        let sung = |frame: usize| {
            let sounds = frame < (0.4 * RATE) as usize;
            let turn = 220.0 * frame as f32 / RATE * std::f32::consts::TAU;
            if sounds { turn.sin() } else { 0.0 }
        };
        let voice: Vec<f32> = (0..88_200).map(sung).collect();
        let source = [voice.clone(), voice];
        let mut audio = source.clone();
        let (from, to) = (4_410, 80_000);
        hold(&mut Dice::new(3, "hold"), &source, &mut audio, from, to);
        for side in &audio {
            assert!(side[from].abs() < 0.01 && side[to - 1].abs() < 0.01);
            for piece in side[from + 441..to - 441].chunks_exact(4_410) {
                let power = piece.iter().map(|x| x * x).sum::<f32>() / piece.len() as f32;
                // A sine's is 1/2; grains cancel and add up by chance.
                assert!((0.02..2.0).contains(&power), "{power}");
            }
            assert_eq!(side[..from], source[0][..from]);
            assert_eq!(side[to..], source[0][to..]);
        }
    }

    #[test]
    fn steps_cover_a_song() {
        let all: Vec<_> = steps(0.25, 30_000).collect();
        assert_eq!(all, [(0, 11_025), (11_025, 22_050), (22_050, 30_000)]);
    }
}
