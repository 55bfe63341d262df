//! What travels between the audio thread and the worker, and how much of it may be on the way.
//!
//! ```text
//! audio thread ─ [`InputFrame`]s ─ ring → worker ─ [`StemFrame`]s ─ ring → audio thread
//! ```
//!
//! Each frame carries the epoch in which it was played. A reset needs no message of its own, and
//! cannot overtake or be overtaken by audio: whoever meets a frame of another epoch knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::monitor::{Monitor, Phase};

/// Channels of every bus.
pub const CHANNELS: usize = 2;
/// Stem buses.
pub const STEMS: usize = 4;

/// Names of the stems, in the order of their buses; the names that models give them.
pub const STEM_NAMES: [&str; STEMS] = ["drums", "bass", "other", "vocals"];

/// One frame of input.
#[derive(Clone, Copy, Debug, Default)]
pub struct InputFrame {
    /// The epoch in which it was played.
    pub epoch: u32,
    /// Left and right.
    pub samples: [f32; CHANNELS],
}

/// One frame of every stem, and what mixture consistency adds to each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StemSamples {
    /// `[stem][channel]`, stems in the order of their buses, as the model made them.
    pub raw: [[f32; CHANNELS]; STEMS],
    /// Added to every stem it makes them add up to the input
    /// ([`bunri_stream::consistency::residual_share`]).
    pub residual: [f32; CHANNELS],
}

/// One frame of stems on its way back.
#[derive(Clone, Copy, Debug, Default)]
pub struct StemFrame {
    /// The epoch of the input that it was made of.
    pub epoch: u32,
    /// The stems.
    pub samples: StemSamples,
}

/// What the host fixes at activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostSetup {
    /// The host's sample rate in Hz.
    pub rate_hz: u32,
    /// The longest block the host will send, in frames.
    pub max_block_frames: usize,
    /// Whether the host renders offline, where losing a hop is never right and waiting always is.
    pub offline: bool,
}

impl HostSetup {
    /// Duration of so many frames.
    pub(crate) fn seconds(&self, frames: usize) -> f64 {
        frames as f64 / f64::from(self.rate_hz)
    }
}

/// What the host tells with each block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostBlock {
    /// Length of the block that it sent, where what is played is a part of it; 0 where it is all.
    pub frames: usize,
    /// Whether it says that it renders offline just now, whatever it said at activation.
    pub offline: bool,
}

/// Where the time between a sample's arrival and its leaving goes; frames at the host's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Frames the worker may hold back: after `n` frames it has emitted at least `n - collect`.
    pub collect_frames: usize,
    /// Frame `i` that the worker emits is made of input frame `i - delay`.
    pub delay_frames: usize,
    /// Time the worker gets to compute: one hop, or the host's longest block where that is longer,
    /// since the worker gets nothing to do between two blocks and must then do it all at once.
    pub budget_frames: usize,
}

impl Timing {
    /// Distance on the stream of stems: at host frame `p`, frame `p - lag` of it is played.
    #[must_use]
    pub fn lag_frames(&self) -> usize {
        self.collect_frames + self.budget_frames
    }

    /// The latency reported to the host.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.lag_frames() + self.delay_frames
    }

    /// Frames that either ring must hold: everything that is on the way when all goes well, and a
    /// second of a stalled worker.
    pub(crate) fn ring_frames(&self, host: &HostSetup) -> usize {
        2 * self.lag_frames() + host.max_block_frames + host.rate_hz as usize
    }
}

/// What the audio thread, the worker and the main thread all look at. Never locked.
#[derive(Debug)]
pub(crate) struct Shared {
    epoch: AtomicU32,
    passed_frames: AtomicU64,
    failed: AtomicBool,
    stopping: AtomicBool,
    pub(crate) monitor: Arc<Monitor>,
}

/// What became of the audio since activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times the stems fell silent because the worker was late.
    pub dropouts: u64,
    /// Frames of silence in them.
    pub late_frames: u64,
    /// Times the worker was so far behind that it had to begin anew.
    pub restarts: u64,
}

impl Shared {
    pub(crate) fn new(monitor: Arc<Monitor>) -> Self {
        Self {
            epoch: AtomicU32::new(0),
            passed_frames: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            monitor,
        }
    }

    /// The epoch now playing.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Audio thread: a new past begins.
    pub(crate) fn set_epoch(&self, epoch: u32) {
        // Whoever meets a frame of the new epoch in the ring sees this, too.
        self.passed_frames.store(0, Ordering::Relaxed);
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// Audio thread: stems before this frame of the present epoch were played, or will never be.
    pub(crate) fn set_passed(&self, frames: u64) {
        self.passed_frames.store(frames, Ordering::Relaxed);
    }

    /// Worker, for an epoch of which it has met a frame: nobody hears stems before this frame of it.
    pub(crate) fn passed_frames(&self) -> u64 {
        self.passed_frames.load(Ordering::Relaxed)
    }

    /// Whether there will be no more stems until the next activation.
    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Worker: there will be no more stems, for this reason.
    pub(crate) fn fail_for(&self, reason: String) {
        self.monitor
            .update(|status| status.phase = Phase::Dry { reason });
        self.fail();
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}
