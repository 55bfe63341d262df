//! The pitch of a recorded voice over time.

use super::resynthesis::HOP;
use crate::render::instruments::RATE;

/// Voices are looked for within these pitches.
const PITCH_HZ: [f32; 2] = [75.0, 900.0];
/// Pitch is measured on every fourth sample.
const COARSE: usize = 4;
/// Similarity of a period with the next from which a moment counts as voiced.
const VOICED: f32 = 0.55;

/// The pitch at each moment by autocorrelation, outliers against their neighbours removed; 0 where
/// it is unvoiced or its power is at most `floor`.
pub(super) fn pitches(voice: &[f32], powers: &[f32], floor: f32) -> Vec<f32> {
    // Means over three coarse samples: sharp pulses would match only where the period happens to be
    // whole.
    let coarse: Vec<f32> = (0..voice.len().div_ceil(COARSE))
        .map(|index| {
            let from = (index * COARSE).saturating_sub(COARSE);
            let near = &voice[from..voice.len().min((index + 2) * COARSE)];
            near.iter().sum::<f32>() / (3 * COARSE) as f32
        })
        .collect();
    let rate = RATE / COARSE as f32;
    let lags = (rate / PITCH_HZ[1]) as usize..=(rate / PITCH_HZ[0]) as usize;
    let raw: Vec<f32> = powers
        .iter()
        .enumerate()
        .map(|(index, power)| {
            if *power <= floor {
                return 0.0;
            }
            let reach = *lags.end() * 3 / 2;
            let centre = index * HOP / COARSE;
            let from = centre.saturating_sub(reach).min(coarse.len());
            let window = &coarse[from..coarse.len().min(centre + reach)];
            best_lag(window, lags.clone()).map_or(0.0, |lag| rate / lag)
        })
        .collect();
    (0..raw.len())
        .map(|index| {
            let mut near: Vec<f32> =
                raw[index.saturating_sub(2)..raw.len().min(index + 3)].to_vec();
            near.sort_by(f32::total_cmp);
            near[near.len() / 2]
        })
        .collect()
}

/// The period of a window in samples, if it has one.
fn best_lag(window: &[f32], lags: std::ops::RangeInclusive<usize>) -> Option<f32> {
    if window.len() < lags.end() * 2 {
        return None;
    }
    let compared = window.len() - lags.end();
    let energy = |from: usize| -> f32 {
        let part = &window[from..from + compared];
        part.iter().map(|x| x * x).sum()
    };
    let here = energy(0);
    let first = *lags.start();
    let scores: Vec<f32> = lags
        .map(|lag| {
            let pairs = window[..compared].iter().zip(&window[lag..lag + compared]);
            let product: f32 = pairs.map(|(a, b)| a * b).sum();
            product / (here * energy(lag)).sqrt().max(1e-9)
        })
        .collect();
    let best = scores.iter().copied().fold(0.0, f32::max);
    if best < VOICED {
        return None;
    }
    // Every multiple of the period matches as well: the first high peak is the true one.
    let peak = (1..scores.len() - 1).find(|&index| {
        scores[index] > 0.9 * best
            && scores[index] >= scores[index - 1]
            && scores[index] >= scores[index + 1]
    })?;
    let (before, at, after) = (scores[peak - 1], scores[peak], scores[peak + 1]);
    let bend = before - 2.0 * at + after;
    let shift = if bend < 0.0 {
        0.5 * (before - after) / bend
    } else {
        0.0
    };
    Some((first + peak) as f32 + shift.clamp(-0.5, 0.5))
}
