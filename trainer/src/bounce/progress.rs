//! How far a file is: a bar with the remaining time on a terminal, nothing anywhere else.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over the frames of one file; it disappears when dropped.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Starts at no frames of `frames`, where the file tells how many it has.
    pub(super) fn start(name: &str, rate_hz: u32, frames: Option<u64>) -> Self {
        let rate = f64::from(rate_hz.max(1));
        let audio_seconds = move |frames: u64| format!("{:.0} s", frames as f64 / rate);
        let template = match frames {
            Some(_) => "{prefix}  {bar:32} {percent:>3}%  {done} of {whole}, {eta} left",
            None => "{prefix}  {spinner} {done}, after {elapsed}",
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key(
                "done",
                move |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                    let _ = out.write_str(&audio_seconds(state.pos()));
                },
            )
            .with_key(
                "whole",
                move |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                    let _ = out.write_str(&audio_seconds(state.len().unwrap_or(0)));
                },
            );
        // Drawn on standard error, and only if that is a terminal.
        let bar = match frames {
            Some(frames) => ProgressBar::new(frames),
            None => ProgressBar::new_spinner(),
        };
        bar.set_style(style);
        bar.set_prefix(name.to_owned());
        Self { bar }
    }

    /// Frames done so far.
    pub(super) fn set(&self, frames: u64) {
        self.bar.set_position(frames);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
