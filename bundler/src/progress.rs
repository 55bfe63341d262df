//! One meter for long work: a bar on a terminal, a line now and then in a log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far bytes have come. Dropping it leaves the last state on the screen.
pub(crate) struct Meter {
    label: String,
    total_bytes: u64,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    /// Not a terminal: when the last line was written, and the percentage it said.
    Lines {
        last: Instant,
        percent: u64,
    },
}

/// How often a log gets a line at most.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

impl Meter {
    /// Starts a meter for `total_bytes` on standard error.
    pub(crate) fn new(label: &str, total_bytes: u64) -> Self {
        let shown = if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template(
                "{msg:24} [{bar:32}] {bytes:>11}/{total_bytes:<11} {bytes_per_sec:>13} {eta:>4} left",
            )
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
            let bar = ProgressBar::new(total_bytes).with_style(style);
            bar.set_message(label.to_owned());
            Shown::Bar(bar)
        } else {
            eprintln!("{label}: {}", megabytes(total_bytes));
            Shown::Lines {
                last: Instant::now(),
                percent: 0,
            }
        };
        Meter {
            label: label.to_owned(),
            total_bytes,
            shown,
        }
    }

    /// Says how many bytes are done by now; never goes past the total.
    pub(crate) fn set(&mut self, done_bytes: u64) {
        let done_bytes = done_bytes.min(self.total_bytes);
        match &mut self.shown {
            Shown::Bar(bar) => bar.set_position(done_bytes),
            Shown::Lines { last, percent } => {
                let now_percent = done_bytes * 100 / self.total_bytes.max(1);
                if last.elapsed() >= LINE_INTERVAL && now_percent > *percent {
                    let label = &self.label;
                    eprintln!(
                        "{label}: {now_percent} % of {}",
                        megabytes(self.total_bytes)
                    );
                    *last = Instant::now();
                    *percent = now_percent;
                }
            }
        }
    }

    /// Changes what stands before the bar.
    pub(crate) fn say(&mut self, label: &str) {
        self.label = label.to_owned();
        if let Shown::Bar(bar) = &self.shown {
            bar.set_message(self.label.clone());
        }
    }

    /// Fills the bar and leaves it.
    pub(crate) fn finish(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish();
        }
    }
}

/// Bytes as people read them, decimal: `530.6 MB`, `2.5 GB`.
pub(crate) fn megabytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes >= 1e9 {
        format!("{:.1} GB", bytes / 1e9)
    } else {
        format!("{:.1} MB", bytes / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(megabytes(530_604_548), "530.6 MB");
        assert_eq!(megabytes(2_512_000_000), "2.5 GB");
    }
}
