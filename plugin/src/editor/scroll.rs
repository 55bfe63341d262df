//! Where the stem display stands: smooth though audio comes in blocks, or in slow steps where the
//! user prefers less motion.

/// Time between two steps with reduced motion, in seconds.
pub(super) const STEP_S: f64 = 0.5;
/// How fast a wrong place is made good, as a share per second.
const CORRECTION_PER_S: f64 = 4.0;
/// Further behind than this, in seconds, the display jumps.
const JUMP_S: f64 = 0.25;

/// The number of the column at the right edge, with fractions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scroll {
    shown: f64,
    stepped_at_s: f64,
}

impl Scroll {
    /// Moves on to a new frame, `frame_s` after the last, and returns the place.
    pub(super) fn advance(
        &mut self,
        written: u64,
        columns_per_second: f32,
        playing: bool,
        frame_s: f64,
    ) -> f64 {
        let (written, rate) = (written as f64, f64::from(columns_per_second));
        if playing {
            self.shown += frame_s * rate;
        }
        let ahead = self.shown - written;
        self.shown -= ahead * (frame_s * CORRECTION_PER_S).min(1.0);
        let too_far = (self.shown - written).abs() > JUMP_S * rate;
        if too_far {
            self.shown = written;
        }
        // What is not played yet cannot be shown.
        self.shown = self.shown.min(written);
        self.shown
    }

    /// The place with reduced motion: moves on once every [`STEP_S`].
    pub(super) fn step(&mut self, written: u64, now_s: f64) -> f64 {
        let written = written as f64;
        if now_s - self.stepped_at_s >= STEP_S || self.shown > written {
            self.stepped_at_s = now_s;
            self.shown = written;
        }
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against a display that stutters with the host's blocks, falls behind, or runs ahead.
    #[test]
    fn moves_evenly_while_columns_come_in_blocks() {
        let mut scroll = Scroll::default();
        let frame_s = 1.0 / 60.0;
        let mut last = 0.0;
        for frame in 1..600 {
            // Blocks of 2048 frames at 44.1 kHz: 46 ms, 6 columns.
            let blocks = (f64::from(frame) * frame_s / 0.046_44).floor();
            let written = (blocks * 5.944) as u64;
            let shown = scroll.advance(written, 128.0, true, frame_s);
            assert!(shown <= written as f64);
            if frame > 120 {
                let moved = shown - last;
                assert!((0.0..6.0).contains(&moved), "frame {frame}: {moved}");
                assert!(written as f64 - shown < 12.0, "frame {frame} is late");
            }
            last = shown;
        }
    }

    #[test]
    fn follows_a_plugin_that_begins_anew() {
        let mut scroll = Scroll::default();
        scroll.advance(10_000, 128.0, true, 0.02);
        assert_eq!(scroll.advance(3, 128.0, true, 0.02), 3.0);
        assert_eq!(scroll.step(2, 0.0), 2.0);
    }
}
