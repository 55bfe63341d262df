//! The audio thread's half: takes the host's blocks, gives back the mix and the stems.
//!
//! - [`delay_line`]: the dry signal, as late as the stems.
//! - [`ramp`]: gains that move without clicks.
//! - [`host_clock`]: when waiting for the worker harms nobody.
//! - `stem_stream`: the rings to and from the worker.

pub mod delay_line;
pub mod host_clock;
pub mod ramp;
mod stem_stream;

use delay_line::DelayLine;
use ramp::Ramp;
pub(crate) use stem_stream::{Connection, StemStream};

use crate::exchange::{CHANNELS, HostSetup, STEMS};

/// Time that a change of gain or bypass takes.
const RAMP_SECONDS: f64 = 0.02;

/// What the user has set, as of this block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Controls {
    /// Amplitude factor per stem bus.
    pub stem_gains: [f32; STEMS],
    /// Play the input, delayed, instead of the stems.
    pub bypass: bool,
}

/// One stereo bus of a block.
pub type Bus<'a> = [&'a mut [f32]; CHANNELS];

/// The audio thread's half of a separation. Made on the main thread; then only the audio thread
/// touches it.
pub struct AudioLink {
    stream: Option<StemStream>,
    latency_frames: usize,
    dry: DelayLine,
    gains: [Ramp; STEMS],
    /// 0: the mix of the stems on the main bus. 1: the dry signal there, and silent stems.
    dry_amount: Ramp,
    /// Whether nothing has been played since the reset: the controls then need no ramps.
    fresh: bool,
    stems: Vec<[[f32; CHANNELS]; STEMS]>,
}

impl AudioLink {
    /// Stems of `stream` where there is one; otherwise dry audio. `latency_frames` holds for both.
    pub(crate) fn new(stream: Option<StemStream>, latency_frames: usize, host: &HostSetup) -> Self {
        let ramp_frames = (RAMP_SECONDS * f64::from(host.rate_hz)) as u32;
        Self {
            stream,
            latency_frames,
            dry: DelayLine::new(latency_frames),
            gains: std::array::from_fn(|_| Ramp::new(1.0, ramp_frames)),
            dry_amount: Ramp::new(0.0, ramp_frames),
            fresh: true,
            stems: vec![Default::default(); host.max_block_frames.max(1)],
        }
    }

    /// The latency of all buses, in frames.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.latency_frames
    }

    /// Forgets what was played: silence for one latency, then what comes now. Real-time safe.
    pub fn reset(&mut self) {
        let Self {
            stream,
            latency_frames: _,
            dry,
            gains: _,
            dry_amount: _,
            fresh,
            stems: _,
        } = self;
        if let Some(stream) = stream {
            stream.reset();
        }
        dry.reset();
        *fresh = true;
    }

    /// Overwrites the input in `main` with the mix, and `stem_buses` with the stems, all later by
    /// the latency. All buses must have one length; of any number of frames.
    ///
    /// Real-time safe: no locks, no allocation, and no system calls except for waiting where
    /// [`host_clock::HostClock::free_wait`] says that it harms nobody.
    pub fn process(&mut self, main: Bus<'_>, stem_buses: [Bus<'_>; STEMS], controls: Controls) {
        let [mut left, mut right] = main;
        let mut stem_buses = stem_buses;
        while !left.is_empty() && !right.is_empty() {
            let frames = left.len().min(right.len()).min(self.stems.len());
            let main_block = [
                split_front(&mut left, frames),
                split_front(&mut right, frames),
            ];
            let stem_blocks = stem_buses
                .each_mut()
                .map(|bus| bus.each_mut().map(|channel| split_front(channel, frames)));
            self.process_block(main_block, stem_blocks, controls);
        }
    }

    /// Like `process`, for at most as many frames as the host announced.
    fn process_block(
        &mut self,
        mut main: Bus<'_>,
        stem_buses: [Bus<'_>; STEMS],
        controls: Controls,
    ) {
        let frames = main[0].len();
        let Some(stems) = self.stems.get_mut(..frames) else {
            return;
        };
        let separating = match &mut self.stream {
            Some(stream) if !stream.failed() => {
                stream.process([&*main[0], &*main[1]], stems);
                !stream.failed()
            }
            _ => {
                stems.fill(Default::default());
                false
            }
        };
        self.dry.process(&mut main);

        let dry_amount = if controls.bypass || !separating {
            1.0
        } else {
            0.0
        };
        if self.fresh {
            self.fresh = false;
            self.dry_amount.jump_to(dry_amount);
            for (ramp, gain) in self.gains.iter_mut().zip(controls.stem_gains) {
                ramp.jump_to(gain);
            }
        } else {
            self.dry_amount.move_to(dry_amount);
            for (ramp, gain) in self.gains.iter_mut().zip(controls.stem_gains) {
                ramp.move_to(gain);
            }
        }
        mix(
            stems,
            &mut self.gains,
            &mut self.dry_amount,
            main,
            stem_buses,
        );
    }
}

/// Writes gained stems to their buses, and to `main`, which holds the dry signal, their sum.
fn mix(
    stems: &[[[f32; CHANNELS]; STEMS]],
    gains: &mut [Ramp; STEMS],
    dry_amount: &mut Ramp,
    main: Bus<'_>,
    stem_buses: [Bus<'_>; STEMS],
) {
    let [main_left, main_right] = main;
    let mut buses = stem_buses.map(|bus| bus.map(|channel| channel.iter_mut()));
    let main = main_left.iter_mut().zip(main_right);
    for (frame, (main_left, main_right)) in stems.iter().zip(main) {
        let dry_amount = dry_amount.next_value();
        let mut sum = [0.0; CHANNELS];
        for ((stem, gain), bus) in frame.iter().zip(gains.iter_mut()).zip(&mut buses) {
            let gain = gain.next_value() * (1.0 - dry_amount);
            for ((sample, sum), channel) in stem.iter().zip(&mut sum).zip(bus) {
                let gained = gain * sample;
                *sum += gained;
                if let Some(place) = channel.next() {
                    *place = gained;
                }
            }
        }
        for (place, sum) in [main_left, main_right].into_iter().zip(sum) {
            // Not `sum + dry_amount * dry`: that would be NaN for a dry signal that is.
            *place = if dry_amount == 0.0 {
                sum
            } else {
                sum + dry_amount * *place
            };
        }
    }
}

/// Takes the first `frames` of a slice off it.
fn split_front<'a>(slice: &mut &'a mut [f32], frames: usize) -> &'a mut [f32] {
    let whole = std::mem::take(slice);
    let frames = frames.min(whole.len());
    let (front, rest) = whole.split_at_mut(frames);
    *slice = rest;
    front
}
