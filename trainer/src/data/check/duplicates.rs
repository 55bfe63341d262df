//! Stems of different songs that are the same recording.
//!
//! Compared by their levels in steps of 10 ms over the whole song: coded again or at another level
//! they stay alike, and no two performances are. Copies that begin at another time are not found.

use super::listen::Heard;

/// Correlation of the envelopes above which two stems are the same.
const SAME: f32 = 0.985;
/// The same of the coarse envelopes, below which nobody looks closer.
const SIMILAR: f32 = 0.95;
/// Steps of a coarse envelope.
const COARSE: usize = 64;
/// Shorter stems say too little: two seconds.
const MIN_STEPS: usize = 200;

/// Pairs of indices of stems that are the same.
pub(super) fn pairs(stems: &[&Heard]) -> Vec<(usize, usize)> {
    let coarse: Vec<Option<Vec<f32>>> = stems.iter().map(|heard| coarse(heard)).collect();
    let mut found = Vec::new();
    for (second, b) in coarse.iter().enumerate() {
        let Some(b) = b else { continue };
        for (first, a) in coarse[..second].iter().enumerate() {
            let Some(a) = a else { continue };
            let (left, right) = (stems[first], stems[second]);
            let lengths = [left.seconds(), right.seconds()];
            if (lengths[0] - lengths[1]).abs() < 0.5
                && correlation(a, b) > SIMILAR
                && correlation(&fine(left), &fine(right)) > SAME
            {
                found.push((first, second));
            }
        }
    }
    found
}

fn fine(heard: &Heard) -> Vec<f32> {
    heard.envelope_db.iter().map(|&db| f32::from(db)).collect()
}

/// A short picture of the envelope; `None` for what is too short or silent.
fn coarse(heard: &Heard) -> Option<Vec<f32>> {
    let steps = heard.envelope_db.len();
    if steps < MIN_STEPS || heard.is_silent() {
        return None;
    }
    let mean = |index: usize| {
        let part = &heard.envelope_db[index * steps / COARSE..(index + 1) * steps / COARSE];
        part.iter().map(|&db| f32::from(db)).sum::<f32>() / part.len().max(1) as f32
    };
    Some((0..COARSE).map(mean).collect())
}

/// Pearson's correlation over what both have; 0 where one does not change.
fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let count = a.len().min(b.len());
    let (a, b) = (&a[..count], &b[..count]);
    let mean = |values: &[f32]| values.iter().sum::<f32>() / count.max(1) as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let mut sums = [0.0_f32; 3];
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        sums[0] += a * b;
        sums[1] += a * a;
        sums[2] += b * b;
    }
    let scale = (sums[1] * sums[2]).sqrt();
    if scale > 0.0 { sums[0] / scale } else { 0.0 }
}
