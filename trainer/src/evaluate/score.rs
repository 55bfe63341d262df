//! The figures of one song, and their means over songs.

use std::collections::BTreeMap;

use bunri_stream::Planar;
use serde::Serialize;

use super::bss_eval::BssScores;
use super::metrics::{
    WORST_DB, active_windowed_sdr, is_finite, joint_windowed_sdr, mean, median, nsdr, si_sdr,
    track_level_dbfs,
};
use super::spectral::{WORST_DISTANCE, stft_distance};

/// A window of a reference at or below this RMS level holds nothing to separate.
pub const ACTIVE_FLOOR_DBFS: f64 = -60.0;

/// How well one stem of one song was estimated. In JSON, infinite values are `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StemScore {
    /// [`nsdr`] of the whole track.
    pub nsdr_db: f64,
    /// Median of museval v4's SDR over 1 s windows, without those in which any scored stem's
    /// reference or estimate is silent. `None` if none remain.
    pub sdr_db: Option<f64>,
    /// The same ratio's median over the 1 s windows in which this stem's reference is above
    /// [`ACTIVE_FLOOR_DBFS`]. `None` if there are none.
    pub sdr_active_db: Option<f64>,
    /// [`si_sdr`] of the whole track.
    pub si_sdr_db: f64,
    /// [`stft_distance`] where the reference sounds; lower is better.
    pub stft_distance: Option<f64>,
    /// Median of the image's ratio to its displacement ([`BssScores`]); only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isr_db: Option<f64>,
    /// Median of the ratio to interference; only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sir_db: Option<f64>,
    /// Median of the ratio to artefacts; only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sar_db: Option<f64>,
    /// Windows that `sdr_db` counts.
    pub windows: usize,
    /// Windows that `sdr_active_db` counts.
    pub active_windows: usize,
    /// No window of the reference is active: a ratio means nothing, and what counts is how quiet
    /// the estimate is. Left out of every mean.
    pub silent_reference: bool,
    /// The estimate holds NaN or infinity: each of its figures is the worst, [`WORST_DB`] or
    /// [`WORST_DISTANCE`], and counts in the means.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invalid_estimate: bool,
    /// RMS level of the reference in dBFS, `None` for zeros.
    pub reference_dbfs: Option<f64>,
    /// RMS level of the estimate in dBFS, `None` for zeros.
    pub estimate_dbfs: Option<f64>,
    /// Every window's SDR by museval's definition, `None` where museval has NaN; only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_sdr_db: Option<Vec<Option<f64>>>,
}

impl StemScore {
    /// Adds the medians of a stem's BSS Eval figures, without those that are not finite, as museval
    /// does.
    pub fn add_bss(&mut self, scores: &BssScores) {
        let finite = |values: &[f64]| median(values.iter().copied().filter(|db| db.is_finite()));
        self.isr_db = finite(&scores.isr_db);
        self.sir_db = finite(&scores.sir_db);
        self.sar_db = finite(&scores.sar_db);
    }
}

/// Scores by stem name.
pub type StemScores = BTreeMap<String, StemScore>;

/// Scores the estimates of one song; all stems at once, as museval does.
///
/// `pairs`: name, reference, estimate, all of one shape. Windows last one second at `rate_hz`.
///
/// Panics if shapes differ.
#[must_use]
pub fn score_song(
    pairs: &[(&str, &Planar, &Planar)],
    rate_hz: u32,
    keep_windows: bool,
) -> StemScores {
    let window_frames = rate_hz as usize;
    let audio: Vec<(&Planar, &Planar)> = pairs
        .iter()
        .map(|(_, truth, guess)| (*truth, *guess))
        .collect();
    pairs
        .iter()
        .zip(joint_windowed_sdr(&audio, window_frames))
        .map(|((name, reference, estimate), windows)| {
            let active = active_windowed_sdr(reference, estimate, window_frames, ACTIVE_FLOOR_DBFS);
            let active_windows = count(&active);
            let invalid_estimate = !is_finite(estimate);
            // One window of many would hardly move a median: the whole stem is of no use.
            let or_worst = |db| if invalid_estimate { WORST_DB } else { db };
            let distance = match invalid_estimate {
                true => (active_windows > 0).then_some(WORST_DISTANCE),
                false => stft_distance(reference, estimate, rate_hz, ACTIVE_FLOOR_DBFS),
            };
            let score = StemScore {
                nsdr_db: nsdr(reference, estimate),
                sdr_db: median(windows.iter().copied()).map(or_worst),
                sdr_active_db: median(active).map(or_worst),
                si_sdr_db: si_sdr(reference, estimate),
                stft_distance: distance,
                isr_db: None,
                sir_db: None,
                sar_db: None,
                windows: count(&windows),
                active_windows,
                silent_reference: active_windows == 0,
                invalid_estimate,
                reference_dbfs: finite(track_level_dbfs(reference)),
                estimate_dbfs: finite(track_level_dbfs(estimate)),
                window_sdr_db: keep_windows.then(|| {
                    windows
                        .iter()
                        .map(|value| (!value.is_nan()).then_some(*value))
                        .collect()
                }),
            };
            ((*name).to_owned(), score)
        })
        .collect()
}

/// One stem's figures over all songs in which its reference is not silent; beside them, how many
/// values went into each. Of a mean over stems, values are stems.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Songs that count.
    pub songs: usize,
    /// Mean over songs of [`StemScore::nsdr_db`].
    pub nsdr_mean_db: Option<f64>,
    /// Values in it.
    pub nsdr_count: usize,
    /// Median over songs of [`StemScore::sdr_db`]: the figure that papers report.
    pub sdr_median_db: Option<f64>,
    /// Mean over songs of [`StemScore::sdr_db`].
    pub sdr_mean_db: Option<f64>,
    /// Values in both: songs without a window by museval's definition have none.
    pub sdr_count: usize,
    /// Median over songs of [`StemScore::sdr_active_db`].
    pub sdr_active_median_db: Option<f64>,
    /// Mean over songs of [`StemScore::sdr_active_db`].
    pub sdr_active_mean_db: Option<f64>,
    /// Values in both.
    pub sdr_active_count: usize,
    /// Mean over songs of [`StemScore::si_sdr_db`].
    pub si_sdr_mean_db: Option<f64>,
    /// Values in it.
    pub si_sdr_count: usize,
    /// Mean over songs of [`StemScore::stft_distance`].
    pub stft_distance_mean: Option<f64>,
    /// Values in it.
    pub stft_distance_count: usize,
    /// Median over songs of [`StemScore::isr_db`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isr_median_db: Option<f64>,
    /// Median over songs of [`StemScore::sir_db`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sir_median_db: Option<f64>,
    /// Median over songs of [`StemScore::sar_db`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sar_median_db: Option<f64>,
    /// Values in each of these three, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bss_count: Option<usize>,
}

/// The figures of each stem over `songs`.
#[must_use]
pub fn summarise(songs: &[&StemScores], stems: &[String]) -> BTreeMap<String, Summary> {
    let summary = |stem: &String| {
        let scores: Vec<&StemScore> = songs
            .iter()
            .filter_map(|song| song.get(stem))
            .filter(|score| !score.silent_reference)
            .collect();
        let values = |figure: fn(&StemScore) -> Option<f64>| -> Vec<f64> {
            scores.iter().filter_map(|score| figure(score)).collect()
        };
        let sdr = values(|score| score.sdr_db);
        let active = values(|score| score.sdr_active_db);
        let distance = values(|score| score.stft_distance);
        let sir = values(|score| score.sir_db);
        Summary {
            songs: scores.len(),
            nsdr_mean_db: mean(values(|score| Some(score.nsdr_db))),
            nsdr_count: scores.len(),
            sdr_median_db: median(sdr.iter().copied()),
            sdr_mean_db: mean(sdr.iter().copied()),
            sdr_count: sdr.len(),
            sdr_active_median_db: median(active.iter().copied()),
            sdr_active_mean_db: mean(active.iter().copied()),
            sdr_active_count: active.len(),
            si_sdr_mean_db: mean(values(|score| Some(score.si_sdr_db))),
            si_sdr_count: scores.len(),
            stft_distance_mean: mean(distance.iter().copied()),
            stft_distance_count: distance.len(),
            isr_median_db: median(values(|score| score.isr_db)),
            sir_median_db: median(sir.iter().copied()),
            sar_median_db: median(values(|score| score.sar_db)),
            bss_count: (!sir.is_empty()).then_some(sir.len()),
        }
    };
    stems
        .iter()
        .map(|stem| (stem.clone(), summary(stem)))
        .collect()
}

/// The mean over stems of their summaries: every stem weighs the same.
#[must_use]
pub fn mean_over_stems(stems: &BTreeMap<String, Summary>) -> Summary {
    let values = |figure: fn(&Summary) -> Option<f64>| -> Vec<f64> {
        stems.values().filter_map(figure).collect()
    };
    let over = |figure| mean(values(figure));
    let count = |figure| values(figure).len();
    let songs = stems.values().map(|summary| summary.songs);
    let bss_count = count(|summary| summary.sir_median_db);
    Summary {
        songs: songs.max().unwrap_or(0),
        nsdr_mean_db: over(|summary| summary.nsdr_mean_db),
        nsdr_count: count(|summary| summary.nsdr_mean_db),
        sdr_median_db: over(|summary| summary.sdr_median_db),
        sdr_mean_db: over(|summary| summary.sdr_mean_db),
        sdr_count: count(|summary| summary.sdr_mean_db),
        sdr_active_median_db: over(|summary| summary.sdr_active_median_db),
        sdr_active_mean_db: over(|summary| summary.sdr_active_mean_db),
        sdr_active_count: count(|summary| summary.sdr_active_mean_db),
        si_sdr_mean_db: over(|summary| summary.si_sdr_mean_db),
        si_sdr_count: count(|summary| summary.si_sdr_mean_db),
        stft_distance_mean: over(|summary| summary.stft_distance_mean),
        stft_distance_count: count(|summary| summary.stft_distance_mean),
        isr_median_db: over(|summary| summary.isr_median_db),
        sir_median_db: over(|summary| summary.sir_median_db),
        sar_median_db: over(|summary| summary.sar_median_db),
        bss_count: (bss_count > 0).then_some(bss_count),
    }
}

fn count(windows: &[f64]) -> usize {
    windows.iter().filter(|value| !value.is_nan()).count()
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(level: f32) -> Planar {
        Planar::from_channels(vec![vec![level; 30], vec![level; 30]]).unwrap()
    }

    fn scores(stem: &str, reference: f32, estimate: f32) -> StemScores {
        score_song(
            &[(stem, &constant(reference), &constant(estimate))],
            10,
            true,
        )
    }

    #[test]
    fn a_song_without_a_stem_does_not_spoil_the_stem_s_mean() {
        let loud = scores("vocals", 0.5, 0.25);
        let absent = scores("vocals", 0.0, 0.1);
        assert!(absent["vocals"].silent_reference);
        assert_eq!(absent["vocals"].reference_dbfs, None);
        let vocals = &summarise(&[&loud, &absent], &["vocals".to_owned()])["vocals"];
        assert_eq!(vocals.songs, 1);
        assert!((vocals.nsdr_mean_db.unwrap() - 20.0 * 2_f64.log10()).abs() < 1e-4);
        assert!((vocals.sdr_median_db.unwrap() - 20.0 * 2_f64.log10()).abs() < 1e-4);
    }

    #[test]
    fn stems_weigh_the_same_whatever_their_songs() {
        let songs = [
            scores("drums", 0.5, 0.45),
            scores("drums", 0.5, 0.45),
            scores("bass", 0.5, 0.0),
        ];
        // A silent estimate has no museval window, so use nSDR: 20, 20 and 0 dB.
        let stems = summarise(
            &songs.iter().collect::<Vec<_>>(),
            &["drums".into(), "bass".into()],
        );
        assert_eq!(stems["bass"].sdr_median_db, None);
        assert_eq!(stems["bass"].sdr_active_median_db, Some(0.0));
        assert!((mean_over_stems(&stems).nsdr_mean_db.unwrap() - 10.0).abs() < 1e-3);
    }

    /// Guards a mean from an estimate of NaN that drops out of it, and shows how many songs it holds.
    #[test]
    fn an_invalid_estimate_counts_as_the_worst() {
        let good = scores("vocals", 0.5, 0.25);
        let mut broken = constant(0.5);
        broken.channel_mut(0)[7] = f32::NAN;
        let truth = constant(0.5);
        let pairs = [("vocals", &truth, &broken), ("drums", &truth, &truth)];
        let bad = score_song(&pairs, 10, true);
        assert!(bad["vocals"].invalid_estimate && !bad["drums"].invalid_estimate);
        assert_eq!(bad["vocals"].sdr_db, Some(WORST_DB));
        assert_eq!(bad["vocals"].sdr_active_db, Some(WORST_DB));
        assert_eq!(bad["vocals"].stft_distance, Some(WORST_DISTANCE));
        assert_eq!(bad["drums"].windows, 3, "as without the other stem");
        let vocals = &summarise(&[&good, &bad], &["vocals".to_owned()])["vocals"];
        let expected = (20.0 * 2_f64.log10() + WORST_DB) / 2.0;
        assert!((vocals.nsdr_mean_db.unwrap() - expected).abs() < 1e-4);
        assert!((vocals.sdr_mean_db.unwrap() - expected).abs() < 1e-4);
        assert_eq!((vocals.nsdr_count, vocals.sdr_count), (2, 2));
    }

    #[test]
    fn windows_are_kept_on_request_only() {
        let score = &scores("drums", 0.5, 0.25)["drums"];
        assert_eq!(score.window_sdr_db.as_ref().unwrap().len(), 3);
        let quiet = score_song(&[("drums", &constant(0.5), &constant(0.25))], 10, false);
        assert!(
            !serde_json::to_string(&quiet)
                .unwrap()
                .contains("window_sdr_db")
        );
    }
}
