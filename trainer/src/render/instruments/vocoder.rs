//! A channel vocoder: a voice's loudness in many bands, impressed on a synthesizer's chords.

use super::{
    RATE, Stereo,
    filter::Svf,
    hz,
    oscillator::{Noise, Oscillator, Wave},
};
use crate::render::dice::Dice;

/// Bands, a little less than a third of an octave apart.
const BANDS: usize = 22;
const LOWEST_HZ: f32 = 130.0;
const HIGHEST_HZ: f32 = 10_500.0;
/// Keys of a chord that are played.
const KEYS: usize = 4;

/// Speaks through chords: `chords` are first frames and keys, in order. As long as `voice`; silent
/// where it is silent.
pub(crate) fn vocode(dice: &mut Dice, voice: &Stereo, chords: &[(usize, Vec<i32>)]) -> Stereo {
    let spread = dice.between(0.03, 0.2);
    let octave = *dice.pick(&[-12.0, 0.0, 0.0]);
    let hiss = dice.between(0.02, 0.15);
    let follow = 1.0 - (-1.0 / (dice.between(0.004, 0.02) * RATE)).exp();
    let mut noise = Noise::new(dice.whole(1, i32::MAX - 1) as u32);
    let mut oscillators: Vec<[Oscillator; 2]> = (0..KEYS)
        .map(|_| {
            std::array::from_fn(|_| Oscillator {
                wave: Wave::Saw,
                phase: dice.unit(),
            })
        })
        .collect();
    let q = 4.5;
    let centre = |band: usize| {
        let place = band as f32 / (BANDS - 1) as f32;
        LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ).powf(place)
    };
    let filter = |band: usize| Svf::new(centre(band), q);
    let mut analysis: Vec<Svf> = (0..BANDS).map(filter).collect();
    let mut synthesis: [Vec<Svf>; 2] = std::array::from_fn(|_| (0..BANDS).map(filter).collect());
    let mut levels = [0.0_f32; BANDS];
    let frames = voice[0].len();
    let mut out = [vec![0.0; frames], vec![0.0; frames]];
    let mut current = 0;
    for frame in 0..frames {
        while chords.get(current + 1).is_some_and(|next| next.0 <= frame) {
            current += 1;
        }
        let Some((_, keys)) = chords.get(current) else {
            break;
        };
        let input = 0.5 * (voice[0][frame] + voice[1][frame]);
        for (level, filter) in levels.iter_mut().zip(&mut analysis) {
            let now = filter.run(input).band.abs();
            *level += (now - *level) * follow;
        }
        if levels.iter().all(|level| *level < 1e-5) {
            continue;
        }
        let mut carrier = [0.0; 2];
        for (key, pair) in keys.iter().zip(&mut oscillators) {
            for (side, oscillator) in pair.iter_mut().enumerate() {
                let detune = spread * (side as f32 - 0.5);
                carrier[side] += oscillator.next(hz(*key as f32 + octave + detune));
            }
        }
        let hiss = noise.next() * hiss;
        for side in 0..2 {
            let mut sum = 0.0;
            for (filter, level) in synthesis[side].iter_mut().zip(levels) {
                sum += filter.run(carrier[side] + hiss).band * level;
            }
            out[side][frame] = sum * 2.0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A carrier that leaks would put chords where nobody sings.
    #[test]
    fn silence_in_is_silence_out() {
        let silent = [vec![0.0; 4_000], vec![0.0; 4_000]];
        let out = vocode(&mut Dice::new(1, "vocoder"), &silent, &[(0, vec![60, 64])]);
        assert!(out.iter().flatten().all(|sample| *sample == 0.0));
    }

    /// The chord's pitch must come through, not the voice's.
    #[test]
    fn the_chord_sounds_with_the_voices_rhythm() {
        let mut noise = Noise::new(5);
        let mut voice: Vec<f32> = (0..22_050).map(|_| noise.next() * 0.3).collect();
        voice.extend(vec![0.0; 22_050]);
        let out = vocode(
            &mut Dice::new(1, "vocoder"),
            &[voice.clone(), voice],
            &[(0, vec![57])],
        );
        let rms = |range: std::ops::Range<usize>| {
            let power: f32 = out[0][range.clone()].iter().map(|x| x * x).sum();
            (power / range.len() as f32).sqrt()
        };
        assert!(rms(4_000..20_000) > 0.01, "{}", rms(4_000..20_000));
        assert_eq!(rms(35_000..44_000), 0.0);
    }
}
