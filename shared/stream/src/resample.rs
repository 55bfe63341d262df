//! Sample rate conversion in which every output frame lies at an exactly known time.
//!
//! Output frame `m` is the input at the time of input frame `m * from_hz / to_hz`, not delayed at
//! all: the converter only waits until it has seen [`RateConverter::lookahead_frames`] input frames
//! beyond that time. Counts and phases are whole numbers throughout, so nothing drifts and any cut
//! of the input into blocks gives the same bits.
//!
//! Why not `rubato` (5.0.1 was tried): its FFT converter works in blocks of at least 294 frames
//! between 44.1 and 48 kHz and would add 20 ms to the plugin's latency, there and back; its
//! asynchronous one keeps its position in floating point, asks for one input frame more or less as
//! that rounds, and delays by a fraction of a frame, where hosts want whole ones. A test holds this
//! converter against rubato's.

mod kernel;

use std::sync::Arc;

use crate::Planar;
use crate::frame_queue::FrameQueue;
use kernel::Kernel;

/// Two rates between which no conversion is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot convert from {from_hz} Hz to {to_hz} Hz: rates must be positive and less than a factor \
     of 64 apart"
)]
pub struct RateError {
    /// The rate of the input, in Hz.
    pub from_hz: u32,
    /// The rate of the output, in Hz.
    pub to_hz: u32,
}

/// Converts a stream from one sample rate to another: flat to 0.91 of the lower Nyquist frequency,
/// images and aliases more than 100 dB down.
///
/// Memory grows with the blocks it is given, never with the length of the stream.
#[derive(Clone, Debug)]
pub struct RateConverter {
    kernel: Arc<Kernel>,
    /// Where output frame 0 lies: this many `1 / up` of an input frame after input frame 0.
    start: i64,
    /// From the first input frame under the filter's window on.
    history: FrameQueue,
    /// The next output frame lies `phase / up` input frames after the window's middle.
    phase: usize,
    /// Input frames still to be dropped: the next window begins beyond what has come.
    skip: usize,
    pushed: u64,
}

impl RateConverter {
    /// A converter for `channels` channels, from `from_hz` to `to_hz`.
    ///
    /// # Errors
    /// [`RateError`] if a rate is zero, or one is 64 times the other or more.
    pub fn new(from_hz: u32, to_hz: u32, channels: usize) -> Result<Self, RateError> {
        Ok(Self::starting_at(
            Arc::new(Kernel::new(from_hz, to_hz)?),
            0,
            channels,
        ))
    }

    /// A second converter for the same rates (and the same filter), whose output frame 0 is the
    /// content of input time `input_frames - output_frames * from_hz / to_hz`: as if it dropped the
    /// first `input_frames` of its input and put `output_frames` before its output, except that
    /// these come out of the real input as far as there is one.
    ///
    /// Panics if that time is more than half a filter away from 0; see [`Self::reach`].
    pub(crate) fn shifted(
        &self,
        input_frames: usize,
        output_frames: usize,
        channels: usize,
    ) -> Self {
        let Kernel { up, down, .. } = *self.kernel;
        let start = (input_frames * up) as i64 - (output_frames * down) as i64;
        Self::starting_at(Arc::clone(&self.kernel), start, channels)
    }

    fn starting_at(kernel: Arc<Kernel>, start: i64, channels: usize) -> Self {
        let mut converter = Self {
            history: FrameQueue::with_silence(channels, 0),
            phase: 0,
            skip: 0,
            pushed: 0,
            start,
            kernel,
        };
        converter.reset();
        converter
    }

    /// Appends to `output` every frame that can be known after `input`.
    ///
    /// Panics if `input` or `output` have another number of channels than the converter.
    pub fn push(&mut self, input: &Planar, output: &mut Planar) {
        let channels = output.channel_count();
        assert_eq!(input.channel_count(), channels);
        let emitted = self.frames_after(self.pushed);
        self.pushed += input.frames() as u64;
        let new_frames = (self.frames_after(self.pushed) - emitted) as usize;
        self.history.push(input);

        let Kernel { up, down, half, .. } = *self.kernel;
        let (mut window_start, mut phase) = (self.skip, self.phase);
        let old_frames = output.frames();
        output.resize_frames(old_frames + new_frames);
        for index in 0..channels {
            (window_start, phase) = (self.skip, self.phase);
            let history = self.history.channel(index);
            for sample in &mut output.channel_mut(index)[old_frames..] {
                *sample = self
                    .kernel
                    .apply(&history[window_start..][..2 * half], phase);
                phase += down;
                window_start += phase / up;
                phase %= up;
            }
        }
        if channels > 0 {
            let droppable = window_start.min(self.history.frames());
            self.history.drop_front(droppable);
            self.skip = window_start - droppable;
            self.phase = phase;
        }
    }

    /// Ends the stream: appends what is missing to make the output as long as the input, rounded
    /// to the nearest frame, as if silence followed. Afterwards the converter is like a new one.
    pub fn flush(&mut self, output: &mut Planar) {
        let Kernel { up, down, half, .. } = *self.kernel;
        let emitted = self.frames_after(self.pushed);
        let (up, down) = (up as u64, down as u64);
        let total = (2 * self.pushed * up + down) / (2 * down);
        let frames = output.frames() + total.saturating_sub(emitted) as usize;
        self.push(&Planar::zeros(output.channel_count(), half + 1), output);
        output.resize_frames(frames);
        self.reset();
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        let Self {
            kernel,
            start,
            history,
            phase,
            skip,
            pushed,
        } = self;
        let up = kernel.up as i64;
        *phase = start.rem_euclid(up) as usize;
        // The first window begins `half - 1` frames before the first output frame's input frame:
        // before the beginning of the input, where there is silence.
        let before_input = kernel.half as i64 - 1 - start.div_euclid(up);
        assert!(
            before_input >= 0,
            "a converter cannot start {start}/{up} frames late"
        );
        history.reset(before_input as usize);
        *skip = 0;
        *pushed = 0;
    }

    /// Input frames beyond an output frame's time that must have come before it comes out.
    #[must_use]
    pub fn lookahead_frames(&self) -> usize {
        self.kernel.half
    }

    /// How many frames have come out in all when `pushed` frames have gone in.
    #[must_use]
    pub fn frames_after(&self, pushed: u64) -> u64 {
        let Kernel { up, down, half, .. } = *self.kernel;
        let numerator = (pushed as i64 - half as i64) * up as i64 - self.start;
        // Rounded up: the frame at time t is out when t + half < pushed.
        let frames = (numerator + down as i64 - 1).div_euclid(down as i64);
        frames.max(0) as u64
    }

    /// The reduced ratio of the rates: output frames, for input frames.
    pub(crate) fn ratio(&self) -> (usize, usize) {
        (self.kernel.up, self.kernel.down)
    }
}

/// Converts a whole clip from `from_hz` to `to_hz`: no delay, and `frames * to_hz / from_hz`
/// frames, rounded to the nearest. Equal rates give the clip back as it is.
///
/// # Errors
/// [`RateError`] if a rate is zero, or one is 64 times the other or more.
pub fn resample_clip(clip: &Planar, from_hz: u32, to_hz: u32) -> Result<Planar, RateError> {
    let mut converter = RateConverter::new(from_hz, to_hz, clip.channel_count())?;
    if from_hz == to_hz {
        return Ok(clip.clone());
    }
    let mut output = Planar::zeros(clip.channel_count(), 0);
    converter.push(clip, &mut output);
    converter.flush(&mut output);
    Ok(output)
}
