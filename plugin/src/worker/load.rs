//! How much of real time the worker takes.

use std::time::Duration;

/// Audio over which the load is told anew: some hops of any live model.
const WINDOW_SECONDS: f64 = 0.5;

/// Sums up work and audio.
#[derive(Debug)]
pub(super) struct Load {
    rate_hz: u32,
    busy: Duration,
    frames: usize,
    /// Work on the hops of a long-hop model comes in bursts: the share of the window before.
    last: Option<f64>,
}

impl Load {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            busy: Duration::ZERO,
            frames: 0,
            last: None,
        }
    }

    /// So long was worked on so many frames; tells the load, averaged with what it was before, when
    /// there is something new to tell.
    pub(super) fn worked(&mut self, busy: Duration, frames: usize) -> Option<f32> {
        self.busy += busy;
        self.frames += frames;
        let audio_seconds = self.frames as f64 / f64::from(self.rate_hz);
        if audio_seconds < WINDOW_SECONDS {
            return None;
        }
        let share = self.busy.as_secs_f64() / audio_seconds;
        let load = self.last.map_or(share, |last| 0.5 * (last + share));
        self.last = Some(load);
        self.busy = Duration::ZERO;
        self.frames = 0;
        Some(load as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_time_is_half_the_load() {
        let mut load = Load::new(1000);
        assert_eq!(load.worked(Duration::from_millis(100), 250), None);
        assert_eq!(load.worked(Duration::from_millis(150), 250), Some(0.5));
        assert_eq!(load.worked(Duration::from_millis(500), 500), Some(0.75));
    }
}
