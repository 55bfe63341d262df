//! Where playing begins anew: silence for one latency, then a short fade.
//!
//! A host that plays may jump into the middle of a sound, and what was heard before the jump has
//! ended abruptly. A host that renders gets no fade: its first frames must be those of `bounce`.

use super::ramp::Ramp;

/// Length of the fade.
const FADE_SECONDS: f64 = 0.01;

/// The gain of everything that is heard since the latest reset.
#[derive(Clone, Debug)]
pub(super) struct FadeIn {
    latency_frames: usize,
    /// Frames until that one comes out which came in first after the reset.
    frames_before: usize,
    /// Whether the host is taken for one that plays, as of this block.
    playing: bool,
    gain: Ramp,
}

impl FadeIn {
    /// As after a reset.
    pub(super) fn new(latency_frames: usize, rate_hz: u32) -> Self {
        Self {
            latency_frames,
            frames_before: latency_frames,
            playing: false,
            gain: Ramp::new(0.0, (FADE_SECONDS * f64::from(rate_hz)) as u32),
        }
    }

    /// Playing begins anew. Real-time safe.
    pub(super) fn reset(&mut self) {
        let Self {
            latency_frames,
            frames_before,
            playing,
            gain,
        } = self;
        *frames_before = *latency_frames;
        *playing = false;
        gain.jump_to(0.0);
    }

    /// Says whether the host plays, before each block. Real-time safe.
    pub(super) fn set_playing(&mut self, playing: bool) {
        self.playing = playing;
    }

    /// The gain of the next frame. Real-time safe.
    #[inline]
    pub(super) fn next_value(&mut self) -> f32 {
        if self.frames_before > 0 {
            self.frames_before -= 1;
            return if self.playing { 0.0 } else { 1.0 };
        }
        if self.gain.target() == 0.0 {
            if self.playing {
                self.gain.move_to(1.0);
            } else {
                self.gain.jump_to(1.0);
            }
        }
        self.gain.next_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gains(fade: &mut FadeIn, frames: usize) -> Vec<f32> {
        (0..frames).map(|_| fade.next_value()).collect()
    }

    /// Guards against a fade that eats the first frames of a render.
    #[test]
    fn only_what_is_played_fades_in() {
        let mut fade = FadeIn::new(100, 48_000);
        assert_eq!(gains(&mut fade, 1000), [1.0; 1000]);
        fade.reset();
        fade.set_playing(true);
        let played = gains(&mut fade, 1000);
        assert_eq!(played[..100], [0.0; 100]);
        assert!(played[100] > 0.0 && played[100] < 0.01);
        assert!(played.windows(2).all(|pair| pair[1] - pair[0] < 0.01));
        assert_eq!(played[100 + 480..], [1.0; 420]);
    }
}
