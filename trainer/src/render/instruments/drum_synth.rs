//! Synthesized drum strokes in the manner of analogue drum machines.

use super::{
    RATE, Stereo,
    filter::Svf,
    kit::{Kit, Strokes, usual_level},
    oscillator::{Noise, Oscillator, Wave},
};
use crate::render::{compose::Piece, dice::Dice};

/// A kit whose settings are drawn once: every piece in two takes.
pub(crate) fn draw_kit(dice: &mut Dice) -> Kit {
    let pieces = [
        Piece::Kick,
        Piece::Snare,
        Piece::Rim,
        Piece::Clap,
        Piece::HatClosed,
        Piece::HatOpen,
        Piece::TomHigh,
        Piece::TomMid,
        Piece::TomLow,
        Piece::Crash,
        Piece::Ride,
        Piece::RideBell,
        Piece::Shaker,
        Piece::Perc,
    ];
    let pieces = pieces.map(|piece| Strokes {
        piece,
        takes: strokes(dice, piece),
    });
    Kit {
        pieces: pieces.into(),
    }
}

fn strokes(dice: &mut Dice, piece: Piece) -> Vec<Stereo> {
    let pan = match piece {
        Piece::Kick | Piece::Snare | Piece::Clap => 0.0,
        _ => dice.between(-0.6, 0.6),
    };
    let level = usual_level(piece);
    let (low, long) = (dice.unit(), dice.unit());
    (0..2)
        .map(|_| {
            let mono = match piece {
                Piece::Kick => kick(dice, 40.0 + 22.0 * low, 0.12 + 0.6 * long * long),
                Piece::Snare => snare(dice, 150.0 + 100.0 * low, 0.09 + 0.2 * long),
                Piece::Rim => tone(dice, 1_600.0 + 500.0 * low, 0.012, 0.4),
                Piece::Clap => clap(dice, 0.08 + 0.2 * long, 900.0 + 700.0 * low),
                Piece::HatClosed => metal(dice, 6_500.0 + 2_500.0 * low, 0.02 + 0.05 * long),
                Piece::HatOpen => metal(dice, 6_000.0 + 2_500.0 * low, 0.15 + 0.35 * long),
                Piece::TomHigh => tone(dice, 170.0 + 60.0 * low, 0.2, 0.08),
                Piece::TomMid => tone(dice, 120.0 + 40.0 * low, 0.24, 0.08),
                Piece::TomLow => tone(dice, 80.0 + 30.0 * low, 0.3, 0.08),
                Piece::Crash => metal(dice, 3_500.0 + 1_500.0 * low, 0.7 + 0.7 * long),
                Piece::Ride => metal(dice, 5_000.0 + 1_500.0 * low, 0.5 + 0.4 * long),
                Piece::RideBell => metal(dice, 2_500.0, 0.4),
                Piece::Shaker => metal(dice, 7_500.0, 0.03 + 0.03 * long),
                Piece::Perc => tone(dice, 260.0 + 300.0 * low, 0.09, 0.05),
            };
            let left = (0.5 - 0.5 * pan).sqrt() * 1.414;
            let right = (0.5 + 0.5 * pan).sqrt() * 1.414;
            [
                mono.iter().map(|sample| sample * left * level).collect(),
                mono.iter().map(|sample| sample * right * level).collect(),
            ]
        })
        .collect()
}

/// Calls `sample(t)` until the sound of this decay time has died down, with its last part faded.
fn shape(decay_s: f32, mut sample: impl FnMut(f32) -> f32) -> Vec<f32> {
    let length = (decay_s * 7.0 * RATE) as usize;
    (0..length)
        .map(|frame| {
            let end = ((length - frame) as f32 / 400.0).min(1.0);
            sample(frame as f32 / RATE) * end
        })
        .collect()
}

fn kick(dice: &mut Dice, floor_hz: f32, decay_s: f32) -> Vec<f32> {
    let (sweep_hz, sweep_s) = (dice.between(80.0, 320.0), dice.between(0.01, 0.05));
    let (click, drive) = (dice.between(0.0, 0.5), dice.between(0.5, 3.0));
    let mut noise = Noise::new(dice.whole(1, 1 << 30) as u32);
    let mut phase = 0.0_f32;
    shape(decay_s, |t| {
        phase += (floor_hz + sweep_hz * (-t / sweep_s).exp()) / RATE;
        let body = (phase * std::f32::consts::TAU).sin() * (-t / decay_s).exp();
        let tick = noise.next() * click * (-t / 0.003).exp();
        ((body + tick) * (1.0 + drive)).tanh() * 0.9
    })
}

fn snare(dice: &mut Dice, tone_hz: f32, decay_s: f32) -> Vec<f32> {
    let (wires, second) = (dice.between(0.5, 1.0), dice.between(1.4, 1.9));
    let mut noise = Noise::new(dice.whole(1, 1 << 30) as u32);
    let mut filter = Svf::new(dice.between(1_500.0, 4_000.0), 0.6);
    let mut phase = 0.0_f32;
    shape(decay_s, |t| {
        phase += tone_hz * (1.0 + 0.5 * (-t / 0.01).exp()) / RATE;
        let tau = std::f32::consts::TAU;
        let skins = (phase * tau).sin() + 0.6 * (phase * second * tau).sin();
        let bands = filter.run(noise.next());
        let rattle = bands.high + bands.band * 0.3;
        let body = skins * 0.45 * (-t / (decay_s * 0.6)).exp();
        body + rattle * wires * 0.7 * (-t / decay_s).exp()
    })
}

fn clap(dice: &mut Dice, decay_s: f32, centre_hz: f32) -> Vec<f32> {
    let mut noise = Noise::new(dice.whole(1, 1 << 30) as u32);
    let mut filter = Svf::new(centre_hz, 1.3);
    let gap_s = dice.between(0.008, 0.013);
    shape(decay_s, |t| {
        let burst = (t / gap_s).floor().min(3.0);
        let since = t - burst * gap_s;
        let fall_s = if burst < 3.0 { 0.004 } else { decay_s };
        filter.run(noise.next()).band * 1.6 * (-since / fall_s).exp()
    })
}

fn tone(dice: &mut Dice, pitch_hz: f32, decay_s: f32, noise_part: f32) -> Vec<f32> {
    let mut noise = Noise::new(dice.whole(1, 1 << 30) as u32);
    let drop = dice.between(0.1, 0.6);
    let mut phase = 0.0_f32;
    shape(decay_s, |t| {
        phase += pitch_hz * (1.0 + drop * (-t / 0.03).exp()) / RATE;
        let body = (phase * std::f32::consts::TAU).sin() * (-t / decay_s).exp();
        (body + noise.next() * noise_part * (-t / 0.01).exp()) * 0.8
    })
}

/// Cymbals: inharmonic rectangles and noise above a cutoff.
fn metal(dice: &mut Dice, cutoff_hz: f32, decay_s: f32) -> Vec<f32> {
    let mut noise = Noise::new(dice.whole(1, 1 << 30) as u32);
    let mut filters = [Svf::new(cutoff_hz, 0.8), Svf::new(cutoff_hz * 0.9, 0.7)];
    let base = dice.between(0.85, 1.25);
    let mut plates: Vec<(Oscillator, f32)> = [205.3, 304.4, 369.6, 522.7, 800.0, 1_184.0]
        .map(|ratio: f32| {
            let start = Oscillator {
                wave: Wave::Pulse(0.5),
                phase: dice.unit(),
            };
            (start, ratio * base * dice.between(1.9, 2.1))
        })
        .into();
    let mut plate_part = dice.between(0.05, 0.5);
    if decay_s < 0.04 {
        plate_part *= 0.6;
    }
    shape(decay_s, |t| {
        let plates: f32 = plates
            .iter_mut()
            .map(|(plate, pitch_hz)| plate.next(*pitch_hz))
            .sum();
        let mix = plates * plate_part * 0.4 + noise.next() * (1.0 - plate_part);
        let first = filters[0].run(mix).high;
        filters[1].run(first).high * (-t / decay_s).exp() * 0.8
    })
}
