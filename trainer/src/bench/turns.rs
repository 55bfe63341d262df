//! Two sides measured in turns, so that what else the machine does weighs on both alike.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::measure::percentile;

/// What one side's work took, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) wall: f64,
    /// Of the CPU, all threads together: what else the machine does takes none of it.
    pub(super) cpu: f64,
}

impl Spent {
    /// What `work` takes in this process.
    pub(super) fn on<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let cpu = || {
            let time = clock_gettime(ClockId::ProcessCPUTime);
            time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
        };
        let (started, cpu_before) = (Instant::now(), cpu());
        let result = work();
        let spent = Self {
            wall: started.elapsed().as_secs_f64(),
            cpu: cpu() - cpu_before,
        };
        (result, spent)
    }
}

impl std::ops::Div<f64> for Spent {
    type Output = Self;

    fn div(self, parts: f64) -> Self {
        Self {
            wall: self.wall / parts,
            cpu: self.cpu / parts,
        }
    }
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// Times of both sides, a round each.
#[derive(Debug, Default)]
pub(super) struct Turns {
    ours: Vec<f64>,
    theirs: Vec<f64>,
    ratios: Vec<f64>,
    cpu_ratios: Vec<f64>,
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
    /// The median of the ratios of CPU time, all threads together: on a busy machine the fairer one.
    pub cpu_ratio: f64,
}

impl Turns {
    /// One round that counts.
    pub(super) fn add(&mut self, ours: Spent, theirs: Spent) {
        self.ours.push(ours.wall);
        self.theirs.push(theirs.wall);
        self.ratios.push(theirs.wall / ours.wall);
        self.cpu_ratios.push(theirs.cpu / ours.cpu);
    }

    /// Rounds so far.
    pub(super) fn rounds(&self) -> usize {
        self.ratios.len()
    }

    /// Over all rounds, of which there must be one.
    pub(super) fn speed(mut self) -> Speed {
        let Self {
            ours,
            theirs,
            ratios,
            cpu_ratios,
        } = &mut self;
        for times in [ours, theirs, ratios, cpu_ratios] {
            times.sort_by(f64::total_cmp);
        }
        Speed {
            ours_seconds: percentile(&self.ours, 0.5),
            python_seconds: percentile(&self.theirs, 0.5),
            speed_ratio: percentile(&self.ratios, 0.5),
            ratio_range: [percentile(&self.ratios, 0.0), percentile(&self.ratios, 1.0)],
            cpu_ratio: percentile(&self.cpu_ratios, 0.5),
        }
    }
}

impl Speed {
    /// Heads of a table's columns.
    pub(super) const HEAD: [&str; 5] = ["ours s", "python s", "ratio", "range", "CPU ratio"];

    /// Cells under them.
    pub(super) fn cells(&self) -> [String; 5] {
        [
            format!("{:.3}", self.ours_seconds),
            format!("{:.3}", self.python_seconds),
            format!("{:.2}", self.speed_ratio),
            format!("{:.2} to {:.2}", self.ratio_range[0], self.ratio_range[1]),
            format!("{:.2}", self.cpu_ratio),
        ]
    }
}
