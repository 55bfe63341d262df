//! Insert effects on a part or a stem, in place.

use crate::render::instruments::{RATE, Stereo, gain};

/// Tilts the spectrum around `pivot_hz`: `db` more above it, `db` less below.
pub(crate) fn tilt(audio: &mut Stereo, pivot_hz: f32, db: f32) {
    let follow = 1.0 - (-std::f32::consts::TAU * pivot_hz / RATE).exp();
    let (low_gain, high_gain) = (gain(-db), gain(db));
    for side in audio.iter_mut() {
        let mut low = 0.0;
        for sample in side.iter_mut() {
            low += follow * (*sample - low);
            *sample = low * low_gain + (*sample - low) * high_gain;
        }
    }
}

/// Removes what lies below `cutoff_hz` (12 dB an octave, two one-pole filters).
pub(crate) fn low_cut(audio: &mut Stereo, cutoff_hz: f32) {
    let follow = 1.0 - (-std::f32::consts::TAU * cutoff_hz / RATE).exp();
    for side in audio.iter_mut() {
        let (mut first, mut second) = (0.0, 0.0);
        for sample in side.iter_mut() {
            first += follow * (*sample - first);
            let high = *sample - first;
            second += follow * (high - second);
            *sample = high - second;
        }
    }
}

/// Removes what lies above `cutoff_hz` (12 dB an octave): an amplifier's loudspeaker.
pub(crate) fn high_cut(audio: &mut Stereo, cutoff_hz: f32) {
    let follow = 1.0 - (-std::f32::consts::TAU * cutoff_hz / RATE).exp();
    for side in audio.iter_mut() {
        let (mut first, mut second) = (0.0, 0.0);
        for sample in side.iter_mut() {
            first += follow * (*sample - first);
            second += follow * (first - second);
            *sample = second;
        }
    }
}

/// Bends peaks: `drive` is the gain into a tanh, relative to the audio's own peak.
pub(crate) fn saturate(audio: &mut Stereo, drive: f32) {
    let peak = peak(audio);
    if peak <= 0.0 {
        return;
    }
    let (into, out) = (drive / peak, peak / drive.tanh());
    for sample in audio.iter_mut().flatten() {
        *sample = (*sample * into).tanh() * out;
    }
}

/// Feed-forward compression above `threshold_db` below the peak, both sides alike.
pub(crate) fn compress(audio: &mut Stereo, threshold_db: f32, ratio: f32, release_s: f32) {
    let gains = compression(audio, RATE, threshold_db, ratio, release_s);
    for side in audio {
        for (sample, gain) in side.iter_mut().zip(&gains) {
            *sample *= gain;
        }
    }
}

/// What [`compress`] multiplies each frame by, for audio of `rate` frames a second.
pub(crate) fn compression(
    audio: &Stereo,
    rate: f32,
    threshold_db: f32,
    ratio: f32,
    release_s: f32,
) -> Vec<f32> {
    let threshold = peak(audio) * gain(threshold_db);
    if threshold <= 0.0 {
        return vec![1.0; audio[0].len()];
    }
    let attack = 1.0 - (-1.0 / (0.004 * rate)).exp();
    let release = 1.0 - (-1.0 / (release_s * rate)).exp();
    let mut level = 0.0_f32;
    let [left, right] = audio;
    let frames = left.iter().zip(right);
    frames
        .map(|(left, right)| {
            let now = left.abs().max(right.abs());
            level += (now - level) * if now > level { attack } else { release };
            if level > threshold {
                (level / threshold).powf(1.0 / ratio - 1.0)
            } else {
                1.0
            }
        })
        .collect()
}

/// The most feedback with which echoes `time_s` apart fall by 60 dB within three seconds: what sounds
/// much longer would ring through a part's rests.
fn fading(feedback: f32, time_s: f32) -> f32 {
    feedback.min(10.0_f32.powf(-time_s))
}

/// Adds echoes `time_s` apart, crossing sides, each `feedback` times the one before.
pub(crate) fn echo(audio: &mut Stereo, time_s: f32, feedback: f32, level: f32) {
    let delay = ((time_s * RATE) as usize).max(1);
    let feedback = fading(feedback, time_s);
    let frames = audio[0].len();
    let mut lines = [vec![0.0_f32; delay], vec![0.0_f32; delay]];
    for frame in 0..frames {
        let slot = frame % delay;
        let heard = [lines[0][slot], lines[1][slot]];
        for side in 0..2 {
            lines[side][slot] = audio[side][frame] * 0.5 + heard[1 - side] * feedback;
        }
        audio[0][frame] += heard[0] * level;
        audio[1][frame] += heard[1] * level;
    }
}

/// Adds echoes that jump from one side to the other, `time_s` apart.
pub(crate) fn ping_pong(audio: &mut Stereo, time_s: f32, feedback: f32, level: f32) {
    let delay = ((time_s * RATE) as usize).max(1);
    let feedback = fading(feedback, time_s);
    let frames = audio[0].len();
    let mut lines = [vec![0.0_f32; delay], vec![0.0_f32; delay]];
    for frame in 0..frames {
        let slot = frame % delay;
        let heard = [lines[0][slot], lines[1][slot]];
        // The sum enters on the left; the right hears only what the left has played.
        lines[0][slot] = 0.5 * (audio[0][frame] + audio[1][frame]) + heard[1] * feedback;
        lines[1][slot] = heard[0] * feedback;
        audio[0][frame] += heard[0] * level;
        audio[1][frame] += heard[1] * level;
    }
}

/// Widens by two copies, a little too high on one side and a little too low on the other: each is
/// read by two heads that take turns, with a pitch that differs by `cents`.
pub(crate) fn widen(audio: &mut Stereo, cents: f32, level: f32) {
    const REACH_S: f32 = 0.045;
    let reach = REACH_S * RATE;
    let middle: Vec<f32> = std::iter::zip(&audio[0], &audio[1])
        .map(|(left, right)| 0.5 * (left + right))
        .collect();
    for (side, sign) in audio.iter_mut().zip([1.0, -1.0]) {
        // The delay changes by this much per frame.
        let drift = (sign * cents / 1_200.0).exp2() - 1.0;
        // The two sides' heads do not turn at the same moment.
        let start = 0.25 + 0.13 * sign;
        for (frame, sample) in side.iter_mut().enumerate() {
            let turn = (start - drift * frame as f32 / reach).rem_euclid(1.0);
            let mut heard = 0.0;
            for turn in [turn, (turn + 0.5).fract()] {
                let place = frame as f32 - (0.008 * RATE + turn * reach);
                let share = (turn * std::f32::consts::PI).sin().powi(2);
                heard += share * at(&middle, place);
            }
            *sample += heard * level;
        }
    }
}

/// Two singers out of one: the voice on the left, and on the right the same `delay_s` later, by a
/// little that sways. The sides have nothing in common any more that a sum of them would show.
pub(crate) fn double_track(audio: &mut Stereo, delay_s: f32, sway_hz: f32) {
    const SWAY_S: f32 = 0.002;
    let [left, right] = audio;
    for (left, right) in std::iter::zip(&mut *left, &*right) {
        *left = 0.5 * (*left + right);
    }
    for (frame, sample) in right.iter_mut().enumerate() {
        let turn = (sway_hz * frame as f32 / RATE).fract() * std::f32::consts::TAU;
        let place = frame as f32 - (delay_s + SWAY_S * turn.sin()).max(0.0) * RATE;
        *sample = at(left, place);
    }
}

/// Fewer bits and a lower rate: holds each sample for `hold` frames and rounds it to steps of the
/// audio's peak over `steps`.
pub(crate) fn crush(audio: &mut Stereo, hold: usize, steps: f32) {
    let step = peak(audio) / steps.max(1.0);
    if step <= 0.0 {
        return;
    }
    for side in audio {
        let mut held = 0.0;
        for (frame, sample) in side.iter_mut().enumerate() {
            if frame.is_multiple_of(hold.max(1)) {
                held = (*sample / step).round() * step;
            }
            *sample = held;
        }
    }
}

/// Thickens and widens: a copy of each side, delayed by a slowly swaying time.
pub(crate) fn chorus(audio: &mut Stereo, rate_hz: f32, depth_ms: f32, level: f32) {
    for (index, side) in audio.iter_mut().enumerate() {
        let dry = side.clone();
        for (frame, sample) in side.iter_mut().enumerate() {
            let turn = rate_hz * frame as f32 / RATE + 0.25 * index as f32;
            let sway = (turn.fract() * std::f32::consts::TAU).sin();
            let delay = (8.0 + depth_ms * sway) * 0.001 * RATE;
            let place = frame as f32 - delay;
            if place >= 1.0 {
                *sample = (*sample + at(&dry, place) * level) * 0.8;
            }
        }
    }
}

/// The signal between two samples; silence before the first and after the last.
pub(crate) fn at(samples: &[f32], place: f32) -> f32 {
    if place < 0.0 {
        return 0.0;
    }
    let (whole, part) = (place as usize, place.fract());
    let sample = |index: usize| samples.get(index).copied().unwrap_or(0.0);
    sample(whole) + part * (sample(whole + 1) - sample(whole))
}

/// The loudest sample's magnitude.
pub(crate) fn peak(audio: &Stereo) -> f32 {
    audio
        .iter()
        .flatten()
        .fold(0.0, |peak: f32, sample| peak.max(sample.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::instruments::oscillator::Noise;

    /// A doubled voice must be as loud in the sides as in the middle: that is what it is for.
    #[test]
    fn a_doubled_voice_is_as_much_apart_as_together() {
        let mut noise = Noise::new(7);
        let voice: Vec<f32> = (0..44_100).map(|_| noise.next()).collect();
        let mut audio = [voice.clone(), voice];
        double_track(&mut audio, 0.02, 0.3);
        let energy = |sign: f32| -> f32 {
            std::iter::zip(&audio[0], &audio[1])
                .skip(2_000)
                .map(|(left, right)| (left + sign * right).powi(2))
                .sum()
        };
        let apart_db = 10.0 * (energy(-1.0) / energy(1.0)).log10();
        assert!(apart_db.abs() < 1.0, "{apart_db} dB");
    }
}
