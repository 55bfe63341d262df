//! BSS Eval v4: how much of an estimate is the true source, its image displaced in space, other
//! sources, and none of them.
//!
//! ```text
//! references, estimates ─ correlations ─ filters (least squares, once for the whole track)
//!                                           └─ projections, window after window ─ energies ─ dB
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
mod projections;

use bunri_stream::Planar;
use tch::{Device, Kind, Tensor};

use super::metrics::is_silent;
use correlations::Correlations;
use projections::Filters;

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
}

/// Scores estimates of all sources of a song, in windows that follow each other without overlap; a
/// rest that does not fill one is left out, unless it is all there is. museval wants one second.
///
/// Takes about a twentieth of the time of the reference, and memory for the projections of a few
/// windows and a square matrix of `512 * sources * channels` values.
///
/// # Errors
/// libtorch's words where the least-squares problem cannot be solved, or memory is short.
///
/// Panics if the blocks' shapes differ or `window_frames` is 0.
pub fn bss_eval(
    pairs: &[(&Planar, &Planar)],
    window_frames: usize,
) -> Result<Vec<BssScores>, tch::TchError> {
    let Some((first, _)) = pairs.first() else {
        return Ok(Vec::new());
    };
    let (channels, frames) = (first.channel_count(), first.frames());
    let audio = Audio::new(pairs, channels, frames);
    let correlations = Correlations::new(&audio)?;
    let filters = Filters::new(&correlations, channels)?;
    drop(correlations);
    let mut scores = vec![BssScores::default(); pairs.len()];
    let windows: Vec<_> = super::metrics::windows(frames, window_frames).collect();
    for group in windows.chunks(projections::WINDOWS_AT_ONCE) {
        let ratios = filters.ratios_db(&audio, group)?; // [ratio][window][source]
        for (index, &(start, end)) in group.iter().enumerate() {
            let silent = pairs.iter().any(|(reference, estimate)| {
                is_silent(reference, start, end) || is_silent(estimate, start, end)
            });
            for (source, scores) in scores.iter_mut().enumerate() {
                let place = index * pairs.len() + source;
                let BssScores {
                    sdr_db,
                    isr_db,
                    sir_db,
                    sar_db,
                } = scores;
                for (values, ratios) in [sdr_db, isr_db, sir_db, sar_db].into_iter().zip(&ratios) {
                    values.push(if silent { f64::NAN } else { ratios[place] });
                }
            }
        }
    }
    Ok(scores)
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

    /// `frames` from `start`, which may lie before the beginning, of `rows`: `[rows, frames]` in 64
    /// bits, silent where there is nothing.
    fn part(&self, rows: std::ops::Range<usize>, start: isize, frames: usize) -> Tensor {
        let count = rows.len();
        let first = start.clamp(0, self.frames as isize) as usize;
        let end = (start + frames as isize).clamp(first as isize, self.frames as isize) as usize;
        let part = Tensor::zeros([count as i64, frames as i64], (Kind::Double, Device::Cpu));
        if end > first {
            let offset = (first as isize - start) as i64;
            let place = part.narrow(1, offset, (end - first) as i64);
            for (index, channel) in self.channels[rows].iter().enumerate() {
                let samples = Tensor::from_slice(&channel[first..end]);
                place.get(index as i64).copy_(&samples);
            }
        }
        part
    }
}
