//! PyPI museval on the very audio that we scored: is it the same, and how much faster are we?
//!
//! ```text
//! references, estimates ─┬─ bss_eval (timed here)
//!                        └─ file ─ reference.py (timed there) ─ file ─ differences, ratio
//! ```

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bunri_stream::Planar;
use serde::Serialize;

use super::bss_eval::{BssScores, bss_eval};
use super::metrics::{is_finite, is_silent};
use crate::python::PythonReference;
use crate::table::Table;

/// The other side's program.
const SCRIPT: &str = include_str!("reference.py");
/// What its Python must have.
const NEEDS: &str = "museval==0.4.1 (pip install museval==0.4.1)";

/// Ratios above this measure the packages' own rounding, in dB: the distortion's energy is 10^-15 of
/// the signal's, which is what adding and subtracting in f64 leaves of nothing.
const ROUNDING_DB: f64 = 150.0;

/// One song on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The song.
    pub song: String,
    /// Its length.
    pub seconds: f64,
    /// Time of [`bss_eval`].
    pub our_seconds: f64,
    /// Time of museval's `bss_eval`, without the exchange.
    pub museval_seconds: f64,
    /// Largest difference of any window of any stem, in dB: SDR, ISR, SIR, SAR.
    pub max_difference_db: [f64; 4],
    /// Values that were compared; more have no value on either side.
    pub values: usize,
}

/// museval in its process.
#[derive(Debug)]
pub struct Museval {
    process: PythonReference,
    folder: tempfile::TempDir,
    /// What was compared so far.
    pub comparisons: Vec<Comparison>,
}

impl Museval {
    /// Starts `python` and lets it import museval.
    ///
    /// # Errors
    /// No such Python, or one without museval 0.4.1.
    pub fn start(python: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a folder for the exchange")?;
        let process = PythonReference::start(python, SCRIPT, folder.path(), [""; 0], NEEDS)?;
        Ok(Self {
            process,
            folder,
            comparisons: Vec::new(),
        })
    }

    /// Scores a song on both sides, one after the other, and keeps the comparison. Returns our
    /// scores.
    ///
    /// # Errors
    /// A song with a silent stem, which museval refuses; libtorch's words; a full disk.
    pub fn compare(
        &mut self,
        song: &str,
        pairs: &[(&Planar, &Planar)],
        rate_hz: u32,
    ) -> Result<Vec<BssScores>> {
        let blocks = pairs.iter().flat_map(|(truth, guess)| [truth, guess]);
        ensure!(
            !blocks.into_iter().any(|x| is_silent(x, 0, x.frames())),
            "a stem is silent throughout, which museval refuses: leave it out by --stems"
        );
        ensure!(
            pairs.iter().all(|(_, estimate)| is_finite(estimate)),
            "an estimate holds NaN or infinity, of which museval makes NaN for every stem"
        );
        let window_frames = rate_hz as usize;
        let threads = tch::get_num_threads().unsigned_abs() as usize;
        let started = Instant::now();
        let ours = bss_eval(pairs, window_frames, threads)?;
        let our_seconds = started.elapsed().as_secs_f64();
        let (theirs, museval_seconds) = self.museval(pairs, window_frames)?;
        let (max_difference_db, values) = differences(&ours, &theirs)?;
        let frames = pairs.first().map_or(0, |(truth, _)| truth.frames());
        self.comparisons.push(Comparison {
            song: song.to_owned(),
            seconds: frames as f64 / f64::from(rate_hz),
            our_seconds,
            museval_seconds,
            max_difference_db,
            values,
        });
        Ok(ours)
    }

    /// museval's figures, `[figure][source][window]` in one row, and its time in seconds.
    fn museval(
        &mut self,
        pairs: &[(&Planar, &Planar)],
        window_frames: usize,
    ) -> Result<(Vec<f64>, f64)> {
        let [input, output] = ["input", "output"].map(|name| self.folder.path().join(name));
        let (truths, guesses): (Vec<&Planar>, Vec<&Planar>) = pairs.iter().copied().unzip();
        let channels = truths.iter().chain(&guesses).flat_map(|x| x.channels());
        let bytes: Vec<u8> = channels.flatten().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(&input, bytes).context("writing the audio for museval")?;
        let first = truths.first().context("a song without stems")?;
        let reply = self.process.ask(&format!(
            "{} {} {} {} {} {window_frames}",
            input.display(),
            output.display(),
            pairs.len(),
            first.channel_count(),
            first.frames(),
        ))?;
        let seconds = reply.parse().context("museval's time")?;
        let bytes = std::fs::read(&output).context("reading museval's figures")?;
        let values = bytes.as_chunks::<8>().0.iter();
        Ok((values.map(|x| f64::from_le_bytes(*x)).collect(), seconds))
    }
}

/// The largest differences of SDR, ISR, SIR and SAR, and the number of values compared.
fn differences(ours: &[BssScores], theirs: &[f64]) -> Result<([f64; 4], usize)> {
    let figures: [fn(&BssScores) -> &Vec<f64>; 4] =
        [|s| &s.sdr_db, |s| &s.isr_db, |s| &s.sir_db, |s| &s.sar_db];
    let mut largest = [0.0_f64; 4];
    let mut values = 0;
    let mut theirs = theirs.iter();
    for (figure, largest) in figures.iter().zip(&mut largest) {
        for our in ours.iter().flat_map(figure) {
            let their = theirs.next().context("museval has fewer windows than we")?;
            ensure!(
                our.is_nan() == their.is_nan(),
                "a window is {our} dB here and {their} dB in museval"
            );
            let both_exact = *our > ROUNDING_DB && *their > ROUNDING_DB;
            if !our.is_nan() && !both_exact {
                *largest = largest.max((our - their).abs());
                values += 1;
            }
        }
    }
    ensure!(theirs.next().is_none(), "museval has more windows than we");
    Ok((largest, values))
}

/// All comparisons, a line each, and the whole.
#[must_use]
pub fn table(comparisons: &[Comparison]) -> Table {
    let row = |song: &str, seconds: f64, ours: f64, museval: f64, largest: [f64; 4]| {
        let mut row = vec![
            song.to_owned(),
            format!("{seconds:.1}"),
            format!("{ours:.2}"),
            format!("{museval:.2}"),
            format!("{:.1}", museval / ours),
        ];
        row.extend(largest.map(|db| format!("{db:.1e}")));
        row
    };
    let mut rows: Vec<_> = comparisons
        .iter()
        .map(|c| {
            row(
                &c.song,
                c.seconds,
                c.our_seconds,
                c.museval_seconds,
                c.max_difference_db,
            )
        })
        .collect();
    let sum = |of: fn(&Comparison) -> f64| comparisons.iter().map(of).sum::<f64>();
    let largest = comparisons.iter().fold([0.0; 4], |largest: [f64; 4], c| {
        std::array::from_fn(|i| largest[i].max(c.max_difference_db[i]))
    });
    rows.push(row(
        "all",
        sum(|c| c.seconds),
        sum(|c| c.our_seconds),
        sum(|c| c.museval_seconds),
        largest,
    ));
    let header = [
        "song",
        "s",
        "ours s",
        "museval s",
        "ratio",
        "ΔSDR",
        "ΔISR",
        "ΔSIR",
        "ΔSAR",
    ];
    Table {
        title: format!(
            "PyPI museval 0.4.1 on the same stems, with {} threads (Δ: largest difference of any \
             window in dB)",
            tch::get_num_threads()
        ),
        words: 1,
        header: header.map(str::to_owned).to_vec(),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(sar_db: f64) -> BssScores {
        BssScores {
            sdr_db: vec![1.0, f64::NAN],
            isr_db: vec![2.0, f64::NAN],
            sir_db: vec![3.0, f64::NAN],
            sar_db: vec![sar_db, f64::NAN],
            is_determined: true,
        }
    }

    /// Guards against a comparison that finds nothing because it compares nothing.
    #[test]
    fn a_difference_is_found_in_the_figure_that_has_it() {
        let nan = f64::NAN;
        let theirs = [1.0, nan, 2.5, nan, 3.0, nan, 290.0, nan];
        let (largest, values) = differences(&[scores(310.0)], &theirs).unwrap();
        assert_eq!(largest, [0.0, 0.5, 0.0, 0.0], "rounding is no difference");
        assert_eq!(values, 3);
        let (largest, _) = differences(&[scores(4.0)], &theirs).unwrap();
        assert_eq!(largest[3], 286.0);
        assert!(differences(&[scores(4.0)], &theirs[..7]).is_err());
        let counted = [1.0, 1.0, 2.5, nan, 3.0, nan, 290.0, nan];
        assert!(
            differences(&[scores(4.0)], &counted).is_err(),
            "a window too many"
        );
    }
}
