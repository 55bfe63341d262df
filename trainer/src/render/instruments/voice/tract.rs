//! The sound of gestures: a glottal pulse train and noise through parallel formants.
//!
//! The pulse is the derivative of Rosenberg's trigonometric model of the glottal flow (J. Acoust.
//! Soc. Am. 49, 1971, type C), with a band-limited step where the glottis closes.

use super::{
    Singer,
    gestures::{Gesture, STEP},
    vowels::FORMANTS,
};
use crate::render::{
    dice::Dice,
    instruments::{
        RATE,
        filter::{Formant, Svf},
        gain, hz,
        oscillator::{Noise, blep},
    },
};

/// Part of the formant tables' level differences that the glottis' own slope leaves to do.
const LEVEL_SHARE: f32 = 0.42;

/// Renders gestures to mono sound.
pub(super) fn speak(singer: &Singer, dice: &mut Dice, line: &[Gesture], frames: usize) -> Vec<f32> {
    let mut out = vec![0.0; frames];
    let mut noise = Noise::new(dice.whole(1, i32::MAX - 1) as u32);
    let mut formants = vec![Formant::default(); FORMANTS];
    let mut air = [Formant::default(), Formant::default()];
    air[0].tune(6_300.0 / singer.tract_length, 700.0);
    air[1].tune(8_600.0 / singer.tract_length, 1_200.0);
    let mut teeth = Svf::new(5_000.0, 1.2);
    let mut levels = [0.0_f32; FORMANTS];
    let (mut phase, mut tilt_state, mut shimmer) = (0.0_f32, 0.0_f32, 1.0_f32);
    let tilt = 1.0 - (-std::f32::consts::TAU * singer.tilt_hz / RATE).exp();
    let mut idle = 0;
    for (index, pair) in line.windows(2).enumerate() {
        let (now, next) = (pair[0], pair[1]);
        let start = index * STEP;
        if start >= frames {
            break;
        }
        let sounding = now.voicing + next.voicing + now.breath + next.breath + now.hiss + next.hiss;
        idle = if sounding > 0.0 { 0 } else { idle + 1 };
        // Let the resonances ring out, then be exactly silent.
        if idle > 40 {
            formants.iter_mut().for_each(Formant::rest);
            air.iter_mut().for_each(Formant::rest);
            continue;
        }
        for (formant, resonance) in formants.iter_mut().enumerate() {
            let f0 = hz(now.key);
            let mut centre = now.shape.centre_hz[formant] / singer.tract_length;
            if formant == 0 {
                // Singers open the mouth so that the first formant stays above the pitch.
                centre = centre.max(f0 * 1.02);
            }
            resonance.tune(centre, now.shape.width_hz[formant] * singer.damping);
            let sign = if formant % 2 == 0 { 1.0 } else { -1.0 };
            levels[formant] = sign * gain(now.shape.level_db[formant] * LEVEL_SHARE);
        }
        teeth.tune(now.hiss_hz, 1.3);
        let base_hz = hz(now.key);
        let slope_hz = hz(next.key) - base_hz;
        let open = singer.open_quotient;
        let (rise, fall) = (open * 0.68, open * 0.32);
        for offset in 0..STEP.min(frames - start) {
            let blend = offset as f32 / STEP as f32;
            let mix = |from: f32, to: f32| from + (to - from) * blend;
            let step = ((base_hz + slope_hz * blend) / RATE).min(0.25);
            phase += step;
            if phase >= 1.0 {
                phase -= 1.0;
                shimmer = 1.0 + 0.035 * noise.next();
            }
            let pi = std::f32::consts::PI;
            let flow_slope = if phase < rise {
                (pi * phase / rise).sin() / rise
            } else if phase < open {
                -((phase - rise) / fall * pi * 0.5).sin() / fall
            } else {
                0.0
            };
            // The slope jumps by +1/fall at closure, phase == open.
            let closing = blep((phase - open).rem_euclid(1.0), step) * 0.5 / fall;
            let pulse = (flow_slope + closing) * fall * shimmer;
            tilt_state += tilt * (pulse - tilt_state);
            let white = noise.next();
            let gate = if phase < open { 1.0 } else { 0.35 };
            let voiced = mix(now.voicing, next.voicing);
            let husk = if voiced > 0.02 { gate } else { 1.0 };
            let source = tilt_state * voiced + white * husk * mix(now.breath, next.breath) * 0.5;
            let mut sample = 0.0;
            for (resonance, level) in formants.iter_mut().zip(levels) {
                sample += resonance.run(source) * level;
            }
            sample += air[0].run(source) * 0.12 - air[1].run(source) * 0.1;
            let hiss = mix(now.hiss, next.hiss);
            let teeth_noise = teeth.run(if hiss > 0.0 { white } else { 0.0 });
            sample += teeth_noise.band * hiss * 0.28;
            out[start + offset] = sample * 0.5;
        }
    }
    out
}
