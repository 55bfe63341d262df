//! BSS Eval v4: how much of an estimate is the true source, its image displaced in space, other
//! sources, and none of them.
//!
//! ```text
//! references, estimates ─ correlations ─ filters (least squares, once for the whole track)
//!                                           └─ projections, window by window ─ energies ─ dB
//! ```
//!
//! Each estimate is projected on what filters of 512 taps can make of its own source's channels
//! (`own`), and of all sources' channels (`all`). With the source `s` and the estimate `e`:
//! SDR `s / (e - s)`, ISR `s / (own - s)`, SIR `own / (all - own)`, SAR `all / (e - all)`, each the
//! ratio of energies.
//!
//! Source: PyPI `museval==0.4.1`, `metrics.bss_eval` with its defaults (Liutkus, Stöter and Ito, *The
//! 2018 Signal Separation Evaluation Campaign*): filters of the whole track, no permutations. A
//! golden test holds the two equal.

mod correlations;
mod filters;
mod projections;

use std::borrow::Cow;

use bunri_stream::{Planar, input_guard};
use realfft::num_complex::Complex;

use super::metrics::{WORST_DB, is_finite, is_silent, joint_windowed_sdr, windows};
use correlations::Correlations;
use filters::Filters;
use projections::Projections;

/// Length of the filters that count as distortion, in frames.
pub const TAPS: usize = 512;

/// One source's figures, a value for each window, in dB; NaN where museval has it: in windows in which
/// any source or estimate is silent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BssScores {
    /// Source to distortion, of all kinds.
    pub sdr_db: Vec<f64>,
    /// Source image to spatial distortion.
    pub isr_db: Vec<f64>,
    /// Source to interference.
    pub sir_db: Vec<f64>,
    /// Sources to artefacts.
    pub sar_db: Vec<f64>,
    /// Whether ISR, SIR and SAR mean anything, the same for all sources of a song. Stems of lossy
    /// files end below the highest frequencies; then filters may do there what they like, rounding
    /// decides what, and quiet windows show it. museval 0.4.1 differs from itself by up to 1 dB on
    /// such stems, with one thread and with two. (16-bit files hold enough noise to decide.)
    pub is_determined: bool,
}

impl BssScores {
    /// [`WORST_DB`] in every window that has a value: the scores of an estimate that holds NaN.
    fn worst(mut self) -> Self {
        let Self {
            sdr_db,
            isr_db,
            sir_db,
            sar_db,
            is_determined: _,
        } = &mut self;
        for value in [sdr_db, isr_db, sir_db, sar_db].into_iter().flatten() {
            if !value.is_nan() {
                *value = WORST_DB;
            }
        }
        self
    }
}

/// Scores estimates of all sources of a song, in windows that follow each other without overlap; a
/// rest that does not fill one is left out, unless it is all there is. museval wants one second.
///
/// An estimate that holds NaN or infinity scores [`WORST_DB`], and the others are scored as beside a
/// good one.
///
/// `threads` of its own share the transforms; the least-squares problem is libtorch's, with its own
/// number of them. Takes a square matrix of `512 * sources * channels` values twice (270 MB for four
/// stereo stems), and little that grows with the song's length.
///
/// # Errors
/// libtorch's words where the least-squares problem cannot be solved, or memory is short.
///
/// Panics if the blocks' shapes differ or `window_frames` is 0.
pub fn bss_eval(
    pairs: &[(&Planar, &Planar)],
    window_frames: usize,
    threads: usize,
) -> Result<Vec<BssScores>, tch::TchError> {
    let Some((first, _)) = pairs.first() else {
        return Ok(Vec::new());
    };
    let (channels, frames) = (first.channel_count(), first.frames());
    let estimates: Vec<Cow<'_, Planar>> = pairs.iter().map(|(_, audio)| bounded(audio)).collect();
    let invalid: Vec<bool> = pairs.iter().map(|(_, audio)| !is_finite(audio)).collect();
    let references = pairs.iter().map(|(reference, _)| *reference);
    let pairs: Vec<_> = references.zip(estimates.iter().map(Cow::as_ref)).collect();
    let pairs = &pairs[..];
    let audio = Audio::new(pairs, channels, frames);
    let correlations = Correlations::new(&audio, threads);
    let filters = Filters::new(&correlations, channels)?;
    let windows: Vec<_> = windows(frames, window_frames).collect();
    let longest = windows.iter().map(|(start, end)| end - start).max();
    let projections = Projections::new(&filters, longest.unwrap_or(0));
    let ratios = projections.ratios(&audio, channels, &windows, threads); // [window][source]
    let is_silent = |&(start, end): &(usize, usize)| {
        let blocks = pairs.iter().flat_map(|(truth, guess)| [truth, guess]);
        blocks.into_iter().any(|block| is_silent(block, start, end))
    };
    let counts: Vec<bool> = windows.iter().map(|window| !is_silent(window)).collect();
    let sdr_db = joint_windowed_sdr(pairs, window_frames);
    let scores = sdr_db.into_iter().enumerate().map(|(source, sdr_db)| {
        let figure = |index: usize| {
            let of_window = |(ratios, counts): (&Vec<[f64; 3]>, &bool)| match counts {
                true => ratios[source][index],
                false => f64::NAN,
            };
            ratios.iter().zip(&counts).map(of_window).collect()
        };
        let scores = BssScores {
            isr_db: figure(0),
            sir_db: figure(1),
            sar_db: figure(2),
            sdr_db,
            is_determined: filters.is_determined,
        };
        match invalid[source] {
            true => scores.worst(),
            false => scores,
        }
    });
    Ok(scores.collect())
}

/// An estimate without NaN and infinity.
fn bounded(audio: &Planar) -> Cow<'_, Planar> {
    if is_finite(audio) {
        return Cow::Borrowed(audio);
    }
    let mut audio = audio.clone();
    for sample in audio.channels_mut().flatten() {
        *sample = input_guard::bounded(*sample);
    }
    Cow::Owned(audio)
}

/// `sum += a * b`, bin by bin.
fn multiply_add(sum: &mut [Complex<f64>], a: &[Complex<f64>], b: &[Complex<f64>]) {
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        sum.re += a.re * b.re - a.im * b.im;
        sum.im += a.re * b.im + a.im * b.re;
    }
}

/// All channels of all sources, then all channels of all estimates.
struct Audio<'a> {
    channels: Vec<&'a [f32]>,
    /// References, or estimates: sources times channels.
    half: usize,
    frames: usize,
}

impl<'a> Audio<'a> {
    fn new(pairs: &[(&'a Planar, &'a Planar)], channels: usize, frames: usize) -> Self {
        let references = pairs.iter().map(|(reference, _)| *reference);
        let estimates = pairs.iter().map(|(_, estimate)| *estimate);
        let all: Vec<&[f32]> = references
            .chain(estimates)
            .flat_map(Planar::channels)
            .collect();
        assert!(
            all.len() == 2 * pairs.len() * channels && all.iter().all(|all| all.len() == frames),
            "sources and estimates of different shapes"
        );
        Self {
            half: all.len() / 2,
            channels: all,
            frames,
        }
    }

    /// Reads `channel` from frame `start` on, which may lie before the beginning; silent where there
    /// is nothing.
    fn read(&self, channel: usize, start: isize, out: &mut [f64]) {
        let samples = self.channels[channel];
        for (offset, out) in out.iter_mut().enumerate() {
            let frame = start.checked_add_unsigned(offset);
            let frame = frame.and_then(|frame| usize::try_from(frame).ok());
            let sample = frame.and_then(|frame| samples.get(frame));
            *out = sample.map_or(0.0, |sample| f64::from(*sample));
        }
    }
}
