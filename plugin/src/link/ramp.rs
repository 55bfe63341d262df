//! A control value that moves without clicks, and is exact once it has arrived.

/// A linear ramp of fixed duration towards the latest target.
#[derive(Clone, Debug)]
pub struct Ramp {
    value: f32,
    target: f32,
    step: f32,
    frames_left: u32,
    duration_frames: u32,
}

impl Ramp {
    /// Stands at `value`; every later change takes `duration_frames`.
    #[must_use]
    pub fn new(value: f32, duration_frames: u32) -> Self {
        Self {
            value,
            target: value,
            step: 0.0,
            frames_left: 0,
            duration_frames: duration_frames.max(1),
        }
    }

    /// Starts towards `target`, unless already on the way there. Real-time safe.
    pub fn move_to(&mut self, target: f32) {
        if target != self.target {
            self.target = target;
            self.frames_left = self.duration_frames;
            self.step = (target - self.value) / self.duration_frames as f32;
        }
    }

    /// Is at `target` at once. Real-time safe.
    pub fn jump_to(&mut self, target: f32) {
        *self = Self::new(target, self.duration_frames);
    }

    /// The value of the next frame. Real-time safe.
    pub fn next_value(&mut self) -> f32 {
        match self.frames_left {
            0 => {}
            // Steps add up to almost the target; almost is not enough to null against the bounce.
            1 => {
                self.frames_left = 0;
                self.value = self.target;
            }
            _ => {
                self.frames_left -= 1;
                self.value += self.step;
            }
        }
        self.value
    }

    /// Where it is, or is going. Real-time safe.
    #[must_use]
    pub fn target(&self) -> f32 {
        self.target
    }

    /// The value of all coming frames, if it does not change any more.
    #[must_use]
    pub fn settled(&self) -> Option<f32> {
        (self.frames_left == 0).then_some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against zipper noise on one side, and against 0.99999 for ever on the other.
    #[test]
    fn moves_in_small_steps_and_arrives_exactly() {
        let mut ramp = Ramp::new(1.0, 882);
        ramp.move_to(0.1);
        let mut last = 1.0;
        for _ in 0..882 {
            let value = ramp.next_value();
            assert!(
                (value - last).abs() < 0.9 / 882.0 * 1.01,
                "{last} -> {value}"
            );
            last = value;
        }
        assert_eq!(ramp.settled(), Some(0.1));
        ramp.move_to(1.0);
        for _ in 0..400 {
            ramp.next_value();
        }
        ramp.move_to(1.0);
        for _ in 0..482 {
            ramp.next_value();
        }
        assert_eq!(ramp.settled(), Some(1.0));
    }
}
