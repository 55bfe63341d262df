//! A control value that moves without clicks, and is exact once it has arrived.

use super::tile::{Line, TILE_FRAMES};

/// A linear ramp of fixed duration towards the latest target.
#[derive(Clone, Debug)]
pub(super) struct Ramp {
    /// Where the way to the target began.
    from: f32,
    target: f32,
    step: f32,
    /// Frames of the ramp still to come; the last of them is at the target.
    frames_left: u32,
    duration_frames: u32,
}

impl Ramp {
    /// Stands at `value`; every later change takes `duration_frames`.
    #[must_use]
    pub(super) fn new(value: f32, duration_frames: u32) -> Self {
        Self {
            from: value,
            target: value,
            step: 0.0,
            frames_left: 0,
            duration_frames: duration_frames.max(1),
        }
    }

    /// Starts towards `target`, unless already on the way there. Real-time safe.
    pub(super) fn move_to(&mut self, target: f32) {
        if target != self.target {
            self.from = self.after(self.passed_frames());
            self.target = target;
            self.frames_left = self.duration_frames;
            self.step = (target - self.from) / self.duration_frames as f32;
        }
    }

    /// Is at `target` at once. Real-time safe.
    pub(super) fn jump_to(&mut self, target: f32) {
        *self = Self::new(target, self.duration_frames);
    }

    /// The values of the next frames, of which the first `frames` are taken; the same however they are
    /// cut into blocks. Real-time safe.
    #[inline]
    pub(super) fn next_line(&mut self, frames: usize) -> Line {
        let next = self.passed_frames() + 1;
        // Each of its own place, not of the value before it: so several are computed at a time.
        let places: [i32; TILE_FRAMES] = std::array::from_fn(|place| next + place as i32);
        let line = places.map(|place| self.after(place));
        self.frames_left = self.frames_left.saturating_sub(frames as u32);
        line
    }

    /// Frames of the ramp that were given out.
    fn passed_frames(&self) -> i32 {
        (self.duration_frames - self.frames_left) as i32
    }

    /// The value after so many frames of the ramp. The last of them is the target itself: steps that
    /// add up to almost the target are not enough to null against the bounce.
    #[inline]
    fn after(&self, frames: i32) -> f32 {
        if frames >= self.duration_frames as i32 {
            self.target
        } else {
            self.from + self.step * frames as f32
        }
    }

    /// Where it is, or is going. Real-time safe.
    #[must_use]
    pub(super) fn target(&self) -> f32 {
        self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(ramp: &mut Ramp, frames: usize, block: usize) -> Vec<f32> {
        let mut values = Vec::new();
        while values.len() < frames {
            let block = block.min(TILE_FRAMES).min(frames - values.len());
            values.extend(&ramp.next_line(block)[..block]);
        }
        values
    }

    /// Guards against zipper noise on one side, and against 0.99999 for ever on the other.
    #[test]
    fn moves_in_small_steps_and_arrives_exactly() {
        let mut ramp = Ramp::new(1.0, 882);
        ramp.move_to(0.1);
        let mut last = 1.0;
        for value in values(&mut ramp, 882, 16) {
            assert!(
                (value - last).abs() < 0.9 / 882.0 * 1.01,
                "{last} -> {value}"
            );
            last = value;
        }
        assert_eq!(last, 0.1);
        assert_eq!(values(&mut ramp, 2, 1), [0.1; 2]);
        ramp.move_to(1.0);
        let half = values(&mut ramp, 400, 16);
        // From where it is, not from where it began.
        ramp.move_to(0.0);
        let turned = values(&mut ramp, 1, 1);
        assert!((turned[0] - half[399]).abs() < 0.9 / 882.0, "{turned:?}");
        ramp.move_to(0.5);
        ramp.move_to(0.5);
        values(&mut ramp, 882, 13);
        assert_eq!(values(&mut ramp, 2, 1), [0.5; 2]);
    }

    /// Guards against sound that depends on the host's blocks.
    #[test]
    fn is_the_same_in_any_blocks() {
        let whole = |block| {
            let mut ramp = Ramp::new(0.0, 300);
            ramp.move_to(0.7);
            values(&mut ramp, 400, block)
        };
        for block in [1, 7, 15] {
            assert_eq!(whole(block), whole(16), "blocks of {block}");
        }
    }
}
