//! How close an estimated stem is to the true one, in dB.
//!
//! Two figures, because each hides what the other shows:
//!
//! - [`nsdr`], over a whole track: silence scores 0 dB, so anything below it does harm.
//! - [`windowed_sdr`], per second: what papers report as "SDR" (the median over windows, then over
//!   tracks), from which silent seconds are left out.
//!
//! NaN stands for "no value" (museval's silent windows) and is left out of [`median`] and [`mean`]. An
//! estimate that itself holds NaN or infinity has a value, and the worst: [`WORST_DB`].

use bunri_stream::Planar;

/// Added to both energies of [`nsdr`], as in the Music Demixing Challenge (Mitsufuji et al. 2022):
/// keeps silence finite.
const NSDR_EPSILON: f64 = 1e-7;

/// Any ratio of an estimate that holds NaN or infinity. Below what finite samples can reach (a
/// reference at -60 dBFS, an estimate 60 dB above full scale), and finite, so that it counts in means
/// and in JSON.
pub const WORST_DB: f64 = -200.0;
/// The level of such an estimate: the loudest that [`bunri_stream::input_guard`] lets pass.
pub const INVALID_DBFS: f64 = 60.0;

/// Whether every sample is a finite number.
#[must_use]
pub fn is_finite(audio: &Planar) -> bool {
    audio.channels().flatten().all(|sample| sample.is_finite())
}

/// Signal-to-distortion ratio of a whole track, in dB:
/// `10 log10((Σs² + ε) / (Σ(s − ŝ)² + ε))` over all frames and channels, ε = 1e-7.
///
/// An estimate of silence scores 0 dB, half the reference 6.02 dB, a perfect estimate of `n`
/// samples at RMS level 1 at most `70 + 10 log10(n)` dB. Where the reference is silent, only
/// silence scores 0 dB, and any sound far below: such stems do not belong into a mean.
///
/// Source: the Music Demixing Challenge's `SDR_song`, there per stem.
///
/// Panics if the shapes differ.
#[must_use]
pub fn nsdr(reference: &Planar, estimate: &Planar) -> f64 {
    let (signal, distortion) = energies(reference, estimate, 0, reference.frames());
    ratio_db((signal + NSDR_EPSILON, distortion + NSDR_EPSILON))
}

/// Scale-invariant SDR of a whole track, in dB, over all channels together:
/// `10 log10((Σ(as)² + ε) / (Σ(as − ŝ)² + ε))` with the gain `a = (Σsŝ + ε) / (Σs² + ε)` that brings
/// the reference closest, ε = 1e-8.
///
/// Source: Le Roux et al., *SDR – half-baked or well done?* (2019), without removal of means; the same
/// as the trainer's loss, in f64.
///
/// Panics if the shapes differ.
#[must_use]
pub fn si_sdr(reference: &Planar, estimate: &Planar) -> f64 {
    const EPSILON: f64 = 1e-8;
    let frames = reference.frames();
    let (truth, distortion) = energies(reference, estimate, 0, frames);
    if !distortion.is_finite() {
        return WORST_DB;
    }
    let product: f64 = reference
        .channels()
        .flatten()
        .zip(estimate.channels().flatten())
        .map(|(truth, guess)| f64::from(*truth) * f64::from(*guess))
        .sum();
    let gain = (product + EPSILON) / (truth + EPSILON);
    let target = gain * gain * truth;
    // Σ(as − ŝ)² = Σ(s − ŝ)² + (a² − 1)Σs² − 2(a − 1)Σsŝ: no digits are lost where a is near 1.
    let left = distortion + (gain - 1.0) * ((gain + 1.0) * truth - 2.0 * product);
    10.0 * ((target + EPSILON) / (left.max(0.0) + EPSILON)).log10()
}

/// museval v4's SDR of every window, in dB: `10 log10(Σs² / Σ(s − ŝ)²)` over the window's frames
/// and all channels together.
///
/// Windows do not overlap; a rest at the end that does not fill one is left out, unless the whole
/// track is shorter than one. NaN where the reference or the estimate is silent, +∞ where they are
/// equal. museval wants one second: pass the sample rate as `window_frames`.
///
/// Source: PyPI `museval==0.4.1`, `metrics.bss_eval` with one filter for all windows. Its
/// projections cancel out in the SDR, which leaves this ratio; a golden test holds the two equal.
///
/// Panics if the shapes differ or `window_frames` is 0.
#[must_use]
pub fn windowed_sdr(reference: &Planar, estimate: &Planar, window_frames: usize) -> Vec<f64> {
    windows(reference.frames(), window_frames)
        .map(|(start, end)| {
            if is_silent(reference, start, end) || is_silent(estimate, start, end) {
                return f64::NAN;
            }
            ratio_db(energies(reference, estimate, start, end))
        })
        .collect()
}

/// The same ratio in the windows in which the reference is above `floor_dbfs`, NaN in the others.
///
/// Not museval's definition. It leaves out windows in which the reference is all but silent (stems
/// that went through a lossy codec are never quite), where the ratio means little and drags the
/// median down; and it counts windows in which the estimate is silent, as the 0 dB that they are.
///
/// Panics as [`windowed_sdr`].
#[must_use]
pub fn active_windowed_sdr(
    reference: &Planar,
    estimate: &Planar,
    window_frames: usize,
    floor_dbfs: f64,
) -> Vec<f64> {
    windows(reference.frames(), window_frames)
        .map(|(start, end)| {
            if level_dbfs(reference, start, end) <= floor_dbfs {
                return f64::NAN;
            }
            ratio_db(energies(reference, estimate, start, end))
        })
        .collect()
}

/// [`windowed_sdr`] of several stems as museval does it for a whole song: a window in which any one
/// reference or estimate is silent is NaN for all stems. `[stem][window]`.
#[must_use]
pub fn joint_windowed_sdr(pairs: &[(&Planar, &Planar)], window_frames: usize) -> Vec<Vec<f64>> {
    let mut stems: Vec<Vec<f64>> = pairs
        .iter()
        .map(|(reference, estimate)| windowed_sdr(reference, estimate, window_frames))
        .collect();
    let shortest = stems.iter().map(Vec::len).min().unwrap_or(0);
    for window in 0..shortest {
        if stems.iter().any(|stem| stem[window].is_nan()) {
            stems.iter_mut().for_each(|stem| stem[window] = f64::NAN);
        }
    }
    stems
}

/// The windows, `(start, end)` in frames, in which the audio is above `floor_dbfs`.
#[must_use]
pub fn active_windows(
    audio: &Planar,
    window_frames: usize,
    floor_dbfs: f64,
) -> Vec<(usize, usize)> {
    windows(audio.frames(), window_frames)
        .filter(|(start, end)| level_dbfs(audio, *start, *end) > floor_dbfs)
        .collect()
}

/// RMS level of a whole track in dBFS, all channels together; −∞ for zeros, [`INVALID_DBFS`] where a
/// sample is not finite. 0 dBFS is an RMS of 1,
/// so a full-scale sine is at −3 dBFS.
#[must_use]
pub fn track_level_dbfs(audio: &Planar) -> f64 {
    level_dbfs(audio, 0, audio.frames())
}

/// The median of what is not NaN, the mean of the two middle values where their count is even;
/// `None` if nothing is left. numpy's `nanmedian`.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut kept: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
    kept.sort_by(f64::total_cmp);
    let middle = kept.len() / 2;
    match kept.len() {
        0 => None,
        n if n % 2 == 1 => Some(kept[middle]),
        // Two equal infinities are their own mean.
        _ if kept[middle - 1] == kept[middle] => Some(kept[middle]),
        _ => Some((kept[middle - 1] + kept[middle]) / 2.0),
    }
}

/// The mean of what is not NaN; `None` if nothing is left.
#[must_use]
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values
        .into_iter()
        .filter(|value| !value.is_nan())
        .fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

/// museval's framing with a hop of one window: `(start, end)` of each.
pub(super) fn windows(frames: usize, window_frames: usize) -> impl Iterator<Item = (usize, usize)> {
    assert!(window_frames > 0, "a window needs at least one frame");
    let count = if window_frames < frames {
        frames / window_frames
    } else {
        1
    };
    (0..count).map(move |window| {
        let start = window * window_frames;
        (start, (start + window_frames).min(frames))
    })
}

/// In dB; [`WORST_DB`] where the distortion is not finite.
fn ratio_db((signal, distortion): (f64, f64)) -> f64 {
    if distortion.is_finite() {
        10.0 * (signal / distortion).log10()
    } else {
        WORST_DB
    }
}

/// `(Σs², Σ(s − ŝ)²)` over frames `start..end` of all channels, in f64.
fn energies(reference: &Planar, estimate: &Planar, start: usize, end: usize) -> (f64, f64) {
    assert_eq!(
        (reference.channel_count(), reference.frames()),
        (estimate.channel_count(), estimate.frames()),
        "reference and estimate must have the same shape"
    );
    let mut signal = 0.0;
    let mut distortion = 0.0;
    for (truth, guess) in reference.channels().zip(estimate.channels()) {
        for (truth, guess) in truth[start..end].iter().zip(&guess[start..end]) {
            let (truth, guess) = (f64::from(*truth), f64::from(*guess));
            signal += truth * truth;
            distortion += (truth - guess) * (truth - guess);
        }
    }
    (signal, distortion)
}

/// museval's idea of silence: the channels' sum is zero at every frame.
pub(super) fn is_silent(audio: &Planar, start: usize, end: usize) -> bool {
    (start..end).all(|frame| {
        let sum: f64 = audio
            .channels()
            .map(|channel| f64::from(channel[frame]))
            .sum();
        sum == 0.0
    })
}

fn level_dbfs(audio: &Planar, start: usize, end: usize) -> f64 {
    let energy: f64 = audio
        .channels()
        .flat_map(|channel| &channel[start..end])
        .map(|sample| f64::from(*sample) * f64::from(*sample))
        .sum();
    if !energy.is_finite() {
        return INVALID_DBFS;
    }
    let samples = (audio.channel_count() * (end - start)).max(1);
    10.0 * (energy / samples as f64).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stereo(samples: &[f32]) -> Planar {
        Planar::from_channels(vec![
            samples.to_vec(),
            samples.iter().map(|s| s * 0.5).collect(),
        ])
        .unwrap()
    }

    fn scaled(audio: &Planar, gain: f32) -> Planar {
        let mut audio = audio.clone();
        for channel in audio.channels_mut() {
            channel.iter_mut().for_each(|sample| *sample *= gain);
        }
        audio
    }

    fn tone(frames: usize) -> Planar {
        stereo(
            &(0..frames)
                .map(|n| (n as f32 * 0.1).sin())
                .collect::<Vec<_>>(),
        )
    }

    #[track_caller]
    fn close(got: f64, expected: f64) {
        assert!(
            (got - expected).abs() < 1e-4,
            "got {got}, expected {expected}"
        );
    }

    #[test]
    fn closed_forms_of_the_track_score() {
        let truth = tone(4000);
        close(nsdr(&truth, &scaled(&truth, 0.5)), 20.0 * 2_f64.log10());
        close(nsdr(&truth, &scaled(&truth, 0.0)), 0.0);
        close(nsdr(&truth, &scaled(&truth, 2.0)), 0.0);
        close(nsdr(&truth, &scaled(&truth, -1.0)), -20.0 * 2_f64.log10());
        let silence = Planar::zeros(2, 4000);
        assert_eq!(
            nsdr(&silence, &silence),
            0.0,
            "silence for silence is neither good nor bad"
        );
        assert!(
            nsdr(&silence, &truth) < -90.0,
            "sound where silence should be is bad"
        );
        assert!(nsdr(&truth, &truth).is_finite());
    }

    /// Guards against a ratio that depends on the estimate's level.
    #[test]
    fn closed_forms_of_the_scale_invariant_score() {
        // Orthogonal error of a tenth of the energy: 10 dB.
        let truth = Planar::from_channels(vec![vec![1.0, 0.0], vec![0.0, 1.0]]).unwrap();
        let error = 0.1_f32.sqrt();
        let guess = Planar::from_channels(vec![vec![1.0, error], vec![error, 1.0]]).unwrap();
        for gain in [0.1, 1.0, 30.0] {
            close(si_sdr(&truth, &scaled(&guess, gain)), 10.0);
        }
        let tone = tone(4000);
        assert!(si_sdr(&tone, &scaled(&tone, 0.5)) > 60.0);
        assert!(si_sdr(&Planar::zeros(2, 10), &Planar::zeros(2, 10)).is_finite());
    }

    #[test]
    fn every_window_counts_its_own_frames_only() {
        let truth = tone(3500);
        let mut estimate = truth.slice(0, 1000);
        estimate.append(&scaled(&truth.slice(1000, 1000), 0.5));
        estimate.append(&scaled(&truth.slice(2000, 1500), 0.9));
        let scores = windowed_sdr(&truth, &estimate, 1000);
        assert_eq!(scores.len(), 3, "the last half window is left out");
        assert_eq!(scores[0], f64::INFINITY);
        close(scores[1], 20.0 * 2_f64.log10());
        close(scores[2], 20.0);
    }

    #[test]
    fn a_track_shorter_than_a_window_is_one_window() {
        let truth = tone(300);
        assert_eq!(windowed_sdr(&truth, &scaled(&truth, 0.5), 1000).len(), 1);
        assert_eq!(windowed_sdr(&truth, &scaled(&truth, 0.5), 300).len(), 1);
    }

    #[test]
    fn a_silent_window_of_one_stem_counts_for_none() {
        let truth = tone(3000);
        let mut gap = truth.clone();
        gap.channels_mut()
            .for_each(|channel| channel[1000..2000].fill(0.0));
        let half = scaled(&truth, 0.5);
        assert!(windowed_sdr(&gap, &half, 1000)[1].is_nan());
        assert!(windowed_sdr(&half, &gap, 1000)[1].is_nan());
        let joint = joint_windowed_sdr(&[(&truth, &half), (&gap, &half)], 1000);
        assert!(joint[0][1].is_nan() && joint[1][1].is_nan());
        assert!(joint[0][0].is_finite() && joint[0][2].is_finite());
    }

    #[test]
    fn codec_residue_is_no_signal_and_a_silent_estimate_is_a_score() {
        let mut truth = tone(3000);
        truth
            .channels_mut()
            .for_each(|channel| channel[..1000].fill(3e-5)); // -90 dBFS
        let mut estimate = scaled(&truth, 0.5);
        estimate
            .channels_mut()
            .for_each(|channel| channel[2000..].fill(0.0));
        let scores = active_windowed_sdr(&truth, &estimate, 1000, -60.0);
        assert!(scores[0].is_nan(), "{scores:?}");
        close(scores[1], 20.0 * 2_f64.log10());
        close(scores[2], 0.0);
    }

    /// Guards against estimates whose NaN drops out of a median, a mean or a maximum: each of them
    /// would leave the song with the score of what is left.
    #[test]
    fn an_estimate_that_is_not_finite_is_the_worst_and_stands_alone() {
        let truth = tone(3000);
        let half = scaled(&truth, 0.5);
        for invalid in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut broken = half.clone();
            broken.channel_mut(1)[1500] = invalid;
            assert!(!is_finite(&broken) && is_finite(&half));
            assert_eq!(nsdr(&truth, &broken), WORST_DB);
            assert_eq!(si_sdr(&truth, &broken), WORST_DB);
            assert_eq!(track_level_dbfs(&broken), INVALID_DBFS);
            let joint = joint_windowed_sdr(&[(&truth, &half), (&half, &broken)], 1000);
            assert_eq!(joint[1][1], WORST_DB);
            assert!(
                joint[0].iter().all(|db| (db - 6.02).abs() < 0.01),
                "{joint:?}"
            );
            assert_eq!(
                active_windowed_sdr(&truth, &broken, 1000, -60.0)[1],
                WORST_DB
            );
        }
    }

    #[test]
    fn levels_are_rms_over_all_channels() {
        let audio = Planar::from_channels(vec![vec![0.1; 200], vec![0.1; 200]]).unwrap();
        close(track_level_dbfs(&audio), -20.0);
        let mut half = audio.clone();
        half.channel_mut(1).fill(0.0);
        close(track_level_dbfs(&half), -20.0 - 10.0 * 2_f64.log10());
        assert_eq!(track_level_dbfs(&Planar::zeros(2, 10)), f64::NEG_INFINITY);
    }

    #[test]
    fn medians_skip_nan_and_average_the_middle() {
        assert_eq!(median([3.0, f64::NAN, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([f64::INFINITY, f64::INFINITY]), Some(f64::INFINITY));
        assert_eq!(median([f64::NAN]), None);
        assert_eq!(mean([1.0, f64::NAN, 3.0]), Some(2.0));
        assert_eq!(mean([]), None);
    }
}
