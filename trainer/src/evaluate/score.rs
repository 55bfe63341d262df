//! The figures of one song, and their means over songs.

use std::collections::BTreeMap;

use bunri_stream::Planar;
use serde::Serialize;

use super::bss_eval::BssScores;
use super::metrics::{
    active_windowed_sdr, joint_windowed_sdr, mean, median, nsdr, si_sdr, track_level_dbfs,
};
use super::spectral::stft_distance;

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
            let score = StemScore {
                nsdr_db: nsdr(reference, estimate),
                sdr_db: median(windows.iter().copied()),
                sdr_active_db: median(active),
                si_sdr_db: si_sdr(reference, estimate),
                stft_distance: stft_distance(reference, estimate, rate_hz, ACTIVE_FLOOR_DBFS),
                isr_db: None,
                sir_db: None,
                sar_db: None,
                windows: count(&windows),
                active_windows,
                silent_reference: active_windows == 0,
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

/// One stem's figures over all songs in which its reference is not silent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Songs that count.
    pub songs: usize,
    /// Mean over songs of [`StemScore::nsdr_db`].
    pub nsdr_mean_db: Option<f64>,
    /// Median over songs of [`StemScore::sdr_db`]: the figure that papers report.
    pub sdr_median_db: Option<f64>,
    /// Mean over songs of [`StemScore::sdr_db`].
    pub sdr_mean_db: Option<f64>,
    /// Median over songs of [`StemScore::sdr_active_db`].
    pub sdr_active_median_db: Option<f64>,
    /// Mean over songs of [`StemScore::sdr_active_db`].
    pub sdr_active_mean_db: Option<f64>,
    /// Mean over songs of [`StemScore::si_sdr_db`].
    pub si_sdr_mean_db: Option<f64>,
    /// Mean over songs of [`StemScore::stft_distance`].
    pub stft_distance_mean: Option<f64>,
    /// Median over songs of [`StemScore::isr_db`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isr_median_db: Option<f64>,
    /// Median over songs of [`StemScore::sir_db`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sir_median_db: Option<f64>,
    /// Median over songs of [`StemScore::sar_db`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sar_median_db: Option<f64>,
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
        let sdr = || scores.iter().filter_map(|score| score.sdr_db);
        let active = || scores.iter().filter_map(|score| score.sdr_active_db);
        Summary {
            songs: scores.len(),
            nsdr_mean_db: mean(scores.iter().map(|score| score.nsdr_db)),
            sdr_median_db: median(sdr()),
            sdr_mean_db: mean(sdr()),
            sdr_active_median_db: median(active()),
            sdr_active_mean_db: mean(active()),
            si_sdr_mean_db: mean(scores.iter().map(|score| score.si_sdr_db)),
            stft_distance_mean: mean(scores.iter().filter_map(|score| score.stft_distance)),
            isr_median_db: median(scores.iter().filter_map(|score| score.isr_db)),
            sir_median_db: median(scores.iter().filter_map(|score| score.sir_db)),
            sar_median_db: median(scores.iter().filter_map(|score| score.sar_db)),
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
    let over = |figure: fn(&Summary) -> Option<f64>| mean(stems.values().filter_map(figure));
    Summary {
        songs: stems
            .values()
            .map(|summary| summary.songs)
            .max()
            .unwrap_or(0),
        nsdr_mean_db: over(|summary| summary.nsdr_mean_db),
        sdr_median_db: over(|summary| summary.sdr_median_db),
        sdr_mean_db: over(|summary| summary.sdr_mean_db),
        sdr_active_median_db: over(|summary| summary.sdr_active_median_db),
        sdr_active_mean_db: over(|summary| summary.sdr_active_mean_db),
        si_sdr_mean_db: over(|summary| summary.si_sdr_mean_db),
        stft_distance_mean: over(|summary| summary.stft_distance_mean),
        isr_median_db: over(|summary| summary.isr_median_db),
        sir_median_db: over(|summary| summary.sir_median_db),
        sar_median_db: over(|summary| summary.sar_median_db),
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
