//! How far an evaluation is, how fast it goes, and how long it will take.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::eprint_line;

/// Parts of a song that the bar shows.
const PARTS: u64 = 1000;

/// The bar of a whole evaluation, on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    songs: usize,
    song: usize,
    started: Instant,
    /// Of the songs that are separated.
    audio_seconds: f64,
}

impl Progress {
    pub(super) fn new(songs: usize) -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self {
            bar: ProgressBar::new(songs as u64 * PARTS).with_style(style),
            songs,
            song: 0,
            started: Instant::now(),
            audio_seconds: 0.0,
        }
    }

    /// The next song begins.
    pub(super) fn begin(&mut self, name: &str) {
        let speed = self.audio_seconds / self.started.elapsed().as_secs_f64();
        self.song += 1;
        let mut message = format!("{}/{} {name}", self.song, self.songs);
        if self.audio_seconds > 0.0 {
            message += &format!("  {speed:.1} s of audio per s");
        }
        self.bar.set_message(message);
    }

    /// So many of the song's frames are separated.
    pub(super) fn separated(&self, frames: usize, of: usize) {
        let before = self.song.saturating_sub(1) as u64 * PARTS;
        let part = PARTS * frames as u64 / of.max(1) as u64;
        self.bar.set_position(before + part);
    }

    /// A line that stays, above the bar.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| eprint_line!("{text}"));
    }

    /// The song is through the model.
    pub(super) fn finish_song(&mut self, audio_seconds: f64) {
        self.audio_seconds += audio_seconds;
    }

    /// Nothing is left but to score.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
