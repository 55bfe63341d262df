//! Sweeps of filtered noise: risers that lead into a section, and what falls after them.

use super::{RATE, Stereo, filter::Svf, frame_at, oscillator::Noise};
use crate::render::dice::Dice;

/// Noise that grows louder and brighter from one moment to another, and then stops.
pub(crate) fn rise(dice: &mut Dice, out: &mut Stereo, from_s: f64, to_s: f64) {
    let (low_hz, octaves) = (dice.between(150.0, 600.0), dice.between(3.0, 5.5));
    let q = dice.between(0.7, 4.0);
    add(dice, out, (from_s, to_s), |place| {
        (place * place, low_hz * (octaves * place).exp2(), q)
    });
}

/// Noise that starts loud and dies down within two seconds.
pub(crate) fn fall(dice: &mut Dice, out: &mut Stereo, from_s: f64) {
    let (high_hz, octaves) = (dice.between(4_000.0, 12_000.0), dice.between(1.0, 4.0));
    let length_s = f64::from(dice.between(0.6, 2.0));
    add(dice, out, (from_s, from_s + length_s), |place| {
        let level = (-5.0 * place).exp() * (1.0 - place);
        (level, high_hz * (-octaves * place).exp2(), 0.7)
    });
}

/// Adds noise; `shape` says level, cutoff in Hz and quality at a place in 0..1.
fn add(
    dice: &mut Dice,
    out: &mut Stereo,
    (from_s, to_s): (f64, f64),
    shape: impl Fn(f32) -> (f32, f32, f32),
) {
    let from = frame_at(from_s);
    let length = frame_at(to_s).saturating_sub(from).max(1);
    for side in out {
        let mut noise = Noise::new(dice.whole(1, i32::MAX - 1) as u32);
        let mut filter = Svf::default();
        let mut level = 0.0;
        let frames = side.iter_mut().skip(from).take(length);
        for (frame, sample) in frames.enumerate() {
            if frame.is_multiple_of(32) {
                let (now, cutoff_hz, q) = shape(frame as f32 / length as f32);
                filter.tune(cutoff_hz.min(RATE * 0.42), q);
                level = now;
            }
            *sample += filter.run(noise.next()).low * level * 0.5;
        }
    }
}
