//! Two sides measured in turns, so that what else the machine does weighs on both alike.

use serde::Serialize;

use super::measure::percentile;

/// Times of both sides, a round each.
#[derive(Debug, Default)]
pub(super) struct Turns {
    ours: Vec<f64>,
    theirs: Vec<f64>,
    ratios: Vec<f64>,
}

/// How fast both sides were.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// Median time here, in seconds.
    pub ours_seconds: f64,
    /// Median time there, in seconds.
    pub python_seconds: f64,
    /// How many times as fast as the package: the median of the ratios of neighbouring runs.
    pub speed_ratio: f64,
    /// The smallest and the largest of those ratios.
    pub ratio_range: [f64; 2],
}

impl Turns {
    /// One round that counts, in seconds.
    pub(super) fn add(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
        self.ratios.push(theirs / ours);
    }

    /// Rounds so far.
    pub(super) fn rounds(&self) -> usize {
        self.ratios.len()
    }

    /// Over all rounds, of which there must be one.
    pub(super) fn speed(mut self) -> Speed {
        for times in [&mut self.ours, &mut self.theirs, &mut self.ratios] {
            times.sort_by(f64::total_cmp);
        }
        Speed {
            ours_seconds: percentile(&self.ours, 0.5),
            python_seconds: percentile(&self.theirs, 0.5),
            speed_ratio: percentile(&self.ratios, 0.5),
            ratio_range: [percentile(&self.ratios, 0.0), percentile(&self.ratios, 1.0)],
        }
    }
}

impl Speed {
    /// Cells of a table: ours, theirs, ratio, range.
    pub(super) fn cells(&self) -> [String; 4] {
        [
            format!("{:.3}", self.ours_seconds),
            format!("{:.3}", self.python_seconds),
            format!("{:.2}", self.speed_ratio),
            format!("{:.2} to {:.2}", self.ratio_range[0], self.ratio_range[1]),
        ]
    }
}
