//! Which stop of processing ends what is on its way through the plugin.
//!
//! CLAP's stop puts a plugin to sleep, and `reset` is what makes it forget. VST3 has `setProcessing` for
//! both: hosts that jump stop and start once; some hosts stop and start around every block, and would play
//! nothing but silence if each stop were a reset. So a VST3 stop is judged when the next block comes:
//!
//! - where the host sends positions, and the block continues the one before: nothing has happened;
//! - where the position has jumped: it is a reset;
//! - where positions are missing or stand still: it is a reset if what was played since the start was as long as the
//!   latency. A shorter run was never heard at all, and is no more than a part of the sound.

/// The run of blocks since the latest start, and how it ended.
#[derive(Debug, Default)]
pub(super) struct Processing {
    latency_frames: u64,
    /// Played since the latest stop.
    run_frames: u64,
    /// After how many frames the host stopped, since its latest block.
    stopped_after: Option<u64>,
    /// Where the latest block began, and where the next one begins if it continues that.
    latest: Option<(i64, i64)>,
}

impl Processing {
    /// As of an activation.
    pub(super) fn new(latency_frames: u64) -> Self {
        Self {
            latency_frames,
            ..Self::default()
        }
    }

    /// The host stops. Without a block in between, a second stop adds nothing. Real-time safe.
    pub(super) fn stop(&mut self) {
        self.stopped_after.get_or_insert(self.run_frames);
        self.run_frames = 0;
    }

    /// Whether a block of `frames`, at this `position` if that is not negative, continues what was played
    /// before; else that is to be forgotten. Real-time safe.
    pub(super) fn continues(&mut self, position: i64, frames: u32) -> bool {
        let stopped_after = self.stopped_after.take();
        let latest = self.latest;
        let end = position.saturating_add(i64::from(frames));
        self.latest = (position >= 0).then_some((position, end));
        self.run_frames = self.run_frames.saturating_add(u64::from(frames));
        let Some(run_frames) = stopped_after else {
            return true;
        };
        match latest {
            Some((start, end)) if position >= 0 && position != start => position == end,
            _ => run_frames < self.latency_frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: u64 = 1000;

    /// Plays blocks of 100 frames at these positions, with a stop before each; returns which of them
    /// continue.
    fn continuing(positions: &[i64]) -> Vec<bool> {
        let mut processing = Processing::new(LATENCY);
        let blocks = positions.iter().map(|&position| {
            processing.stop();
            processing.continues(position, 100)
        });
        blocks.collect()
    }

    /// Guards against a host that stops around every block and never hears anything.
    #[test]
    fn stops_around_every_block_end_nothing() {
        assert_eq!(continuing(&[0, 100, 200, 300]), [true; 4]);
        assert_eq!(
            continuing(&[0; 50]),
            [true; 50],
            "a position that stands still"
        );
        assert_eq!(continuing(&[-1; 50]), [true; 50], "no position");
    }

    /// Guards against old audio behind a jump, and in the next of several renders.
    #[test]
    fn a_jump_and_the_end_of_a_long_run_are_resets() {
        assert_eq!(continuing(&[0, 100, 5000, 5100]), [true, true, false, true]);
        for position in [0, -1] {
            let mut processing = Processing::new(LATENCY);
            assert!((0..10).all(|_| processing.continues(position, 100)));
            // As JUCE's hosts do it, twice.
            processing.stop();
            processing.stop();
            assert!(!processing.continues(position, 100));
            assert!(processing.continues(position, 100), "only once");
        }
    }

    /// Guards against a host that waits between two blocks without a stop.
    #[test]
    fn without_a_stop_nothing_is_forgotten() {
        let mut processing = Processing::new(LATENCY);
        assert!(
            [0, 7000, -1, 3]
                .iter()
                .all(|&position| processing.continues(position, 100))
        );
    }
}
