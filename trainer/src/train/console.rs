//! What a training says while it runs: a bar on a terminal; a line now and then anywhere else, so that
//! a cluster's log shows that it lives.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::eprint_line;

/// Time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Standard error of the first rank; the others say nothing.
pub(super) struct Console {
    /// Hidden where it is not on a terminal.
    bar: ProgressBar,
    lines: Option<Lines>,
    is_first: bool,
}

/// Where there is no bar.
struct Lines {
    begun: Instant,
    first_step: u64,
    last_line: Option<Instant>,
}

impl Lines {
    fn is_due(&mut self) -> bool {
        let is_due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if is_due {
            self.last_line = Some(Instant::now());
        }
        is_due
    }
}

impl Console {
    /// While songs are decoded.
    pub(super) fn preparing(is_first: bool) -> Self {
        Self::of(is_first, ProgressBar::new_spinner(), 0)
    }

    /// While steps are taken, from `step` to `last_step`.
    pub(super) fn training(is_first: bool, last_step: u64, step: u64) -> Self {
        let style = "{bar:32} step {pos}/{len}  {msg}  {per_sec}  {eta} left";
        let style = ProgressStyle::with_template(style);
        let bar = ProgressBar::new(last_step).with_position(step);
        bar.reset_eta();
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::of(is_first, bar, step)
    }

    fn of(is_first: bool, bar: ProgressBar, first_step: u64) -> Self {
        let is_on_terminal = io::stderr().is_terminal();
        let lines = Lines {
            begun: Instant::now(),
            first_step,
            last_line: None,
        };
        Self {
            bar: if is_first { bar } else { ProgressBar::hidden() },
            lines: (is_first && !is_on_terminal).then_some(lines),
            is_first,
        }
    }

    /// A line that stays.
    pub(super) fn say(&self, text: &str) {
        if self.is_first {
            self.bar.suspend(|| eprint_line!("{text}"));
        }
    }

    /// A file is being decoded.
    pub(super) fn decoding(&mut self, file: &str) {
        self.bar.set_message(format!("decoding {file}"));
        self.bar.tick();
        // The first would be said of songs that are decoded in no time.
        if let Some(lines) = &mut self.lines
            && lines.begun.elapsed() >= LINE_EVERY
            && lines.is_due()
        {
            eprint_line!("decoding {file}");
        }
    }

    /// A step is done.
    pub(super) fn step(&mut self, step: u64, loss: f64, audio_per_second: f64) {
        let text = format!("loss {loss:.4}  {audio_per_second:.1} s of audio/s");
        if let Some(lines) = &mut self.lines
            && lines.is_due()
        {
            let taken = step.saturating_sub(lines.first_step).max(1);
            let last = self.bar.length().unwrap_or(step);
            let seconds_per_step = lines.begun.elapsed().as_secs_f64() / taken as f64;
            let left = seconds_per_step * last.saturating_sub(step) as f64;
            eprint_line!(
                "step {step} of {last}  {text}  {:.2} steps/s  {:.0} min left",
                1.0 / seconds_per_step,
                left / 60.0
            );
        }
        self.bar.set_position(step);
        self.bar.set_message(text);
    }

    /// Nothing more is to come: the bar stays as it is, a spinner goes.
    pub(super) fn finish(&self) {
        match self.bar.length() {
            Some(_) => self.bar.finish(),
            None => self.bar.finish_and_clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards a log from a line for each of a million steps.
    #[test]
    fn lines_come_at_once_and_then_now_and_then() {
        let mut lines = Lines {
            begun: Instant::now(),
            first_step: 0,
            last_line: None,
        };
        assert!(lines.is_due());
        assert!(!lines.is_due());
        lines.last_line = Instant::now().checked_sub(LINE_EVERY);
        assert!(lines.is_due());
    }
}
