//! Loudness: measuring it where a stem plays, setting it, keeping the mixture below full scale,
//! and putting samples on the 16-bit grid so that a file holds exactly what was computed.

use crate::render::instruments::{RATE, Stereo};

/// Frames of a measuring window: 50 ms.
const WINDOW: usize = 2_205;
/// Windows this far below the loudest one count as rests, as a factor of power (−45 dB).
const REST: f32 = 3.2e-5;
/// One step of 16-bit audio.
const GRID: f32 = 32_768.0;

/// Mean power of each window, over both sides.
fn window_powers(audio: &Stereo) -> Vec<f32> {
    let [left, right] = audio;
    left.chunks(WINDOW)
        .zip(right.chunks(WINDOW))
        .map(|(left, right)| {
            let power: f32 = left.iter().chain(right).map(|sample| sample * sample).sum();
            power / (2 * left.len()) as f32
        })
        .collect()
}

/// Root mean square over the windows in which something plays; 0 for silence.
pub(crate) fn active_rms(audio: &Stereo) -> f32 {
    let powers = window_powers(audio);
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let (sum, count) = powers
        .iter()
        .filter(|power| **power > loudest * REST)
        .fold((0.0, 0_u32), |(sum, count), power| (sum + power, count + 1));
    if count == 0 {
        0.0
    } else {
        (sum / count as f32).sqrt()
    }
}

/// Part of the windows above −60 dBFS.
pub(crate) fn active_fraction(audio: &Stereo) -> f32 {
    let powers = window_powers(audio);
    let active = powers.iter().filter(|power| **power > 1e-6).count();
    active as f32 / powers.len().max(1) as f32
}

/// The same gain on every sample.
pub(crate) fn scale(audio: &mut Stereo, factor: f32) {
    audio
        .iter_mut()
        .flatten()
        .for_each(|sample| *sample *= factor);
}

/// A master limiter: one gain over time, computed from the sum, applied to all stems, so that the
/// stems still add up to the mixture. Holds the sum's peaks below `ceiling`.
pub(crate) fn limit_together(stems: &mut [Stereo; 4], ceiling: f32, release_s: f32) {
    let frames = stems[0][0].len();
    let lookahead = 220;
    let release = 1.0 - (-1.0 / (release_s * RATE)).exp();
    let wanted: Vec<f32> = (0..frames)
        .map(|frame| {
            let peak = (0..2)
                .map(|side| {
                    stems
                        .iter()
                        .map(|stem| stem[side][frame])
                        .sum::<f32>()
                        .abs()
                })
                .fold(0.0, f32::max);
            if peak > ceiling { ceiling / peak } else { 1.0 }
        })
        .collect();
    let held = sliding_minimum(&wanted, lookahead);
    let mut recovering = 1.0_f32;
    let smooth: Vec<f32> = held
        .iter()
        .map(|target| {
            recovering = if *target < recovering {
                *target
            } else {
                recovering + (target - recovering) * release
            };
            recovering
        })
        .collect();
    // Averaging over the lookahead turns steps into ramps; the minimum was held long enough for
    // the average to reach it by the time of the peak.
    let mut sum = smooth[..lookahead.min(frames)].iter().sum::<f32>();
    for frame in 0..frames {
        let count = lookahead.min(frames - frame);
        let factor = (sum / count as f32).min(1.0);
        for sample in stems.iter_mut().flat_map(|stem| stem.iter_mut()) {
            sample[frame] *= factor;
        }
        sum -= smooth[frame];
        if let Some(entering) = smooth.get(frame + lookahead) {
            sum += entering;
        }
    }
}

/// For each frame the smallest value within `reach` frames to both sides.
fn sliding_minimum(values: &[f32], reach: usize) -> Vec<f32> {
    let mut queue = std::collections::VecDeque::new();
    let mut out = Vec::with_capacity(values.len());
    let mut entering = 0;
    for frame in 0..values.len() {
        while entering < values.len() && entering <= frame + reach {
            while queue
                .back()
                .is_some_and(|last: &usize| values[*last] >= values[entering])
            {
                queue.pop_back();
            }
            queue.push_back(entering);
            entering += 1;
        }
        while queue.front().is_some_and(|first| first + reach < frame) {
            queue.pop_front();
        }
        out.push(queue.front().map_or(1.0, |first| values[*first]));
    }
    out
}

/// Rounds to 16 bits; what is quieter than half a step becomes exactly silent.
pub(crate) fn to_grid(audio: &mut Stereo) {
    for sample in audio.iter_mut().flatten() {
        *sample = (*sample * GRID).round().clamp(-GRID, GRID - 1.0) / GRID;
    }
}
