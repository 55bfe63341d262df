//! What a plugin shows of itself, for an editor or a test to look at whenever it likes.
//!
//! ```text
//! audio thread ─ [`Meters`], [`History`], counts ┐
//! worker       ─ load                            ├ [`Monitor`] → editor
//! main thread, loader ─ [`Status`]               ┘
//! ```
//!
//! The audio thread and the worker write atomics only. [`Status`] has texts in it and lies behind a
//! lock that neither of them touches.
//!
//! - [`meters`]: peak and RMS of every bus.
//! - [`history`]: the stems of the last seconds, a column for every few milliseconds.
//! - [`status`]: what is loaded, how late it is, and what is wrong.

pub mod history;
pub mod meters;
pub mod status;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

pub use bunri_stream::engine::DeviceInfo;
pub use history::{Column, History, StemColumn};
pub use meters::{BusLevel, Levels, Meters};
pub use status::{Activation, ChangeState, ModelInfo, Phase, Status};

use crate::exchange::Counts;

/// All that there is to see of one plugin instance.
#[derive(Debug, Default)]
pub struct Monitor {
    /// Levels of the buses, as of the last block.
    pub meters: Meters,
    /// The stems as they left the audio thread.
    pub history: History,
    counts: CountsNow,
    load: AtomicF32,
    unanswered: AtomicBool,
    status: RwLock<Arc<Status>>,
}

impl Monitor {
    /// What is loaded and what is wrong. Locks shortly: not for the audio thread.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        let status = self.status.read().unwrap_or_else(PoisonError::into_inner);
        if self.unanswered.load(Ordering::Relaxed) && status.phase == Phase::Separating {
            let reason = "the model no longer answers: deactivate and activate the plugin again";
            return Arc::new(Status {
                phase: Phase::Dry {
                    reason: reason.to_owned(),
                },
                ..Status::clone(&status)
            });
        }
        Arc::clone(&status)
    }

    /// Changes the status. Not for the audio thread.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        let mut status = self.status.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut status));
    }

    /// What went wrong since activation, in numbers.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let CountsNow {
            dropouts,
            late_frames,
            restarts,
        } = &self.counts;
        Counts {
            dropouts: dropouts.load(Ordering::Relaxed),
            late_frames: late_frames.load(Ordering::Relaxed),
            restarts: restarts.load(Ordering::Relaxed),
        }
    }

    /// The worker's load as a share of real time: 1 is all it may use. Averaged over about a
    /// second.
    #[must_use]
    pub fn load(&self) -> f32 {
        self.load.get()
    }

    /// Worker: its load.
    pub fn set_load(&self, share_of_real_time: f32) {
        self.load.set(share_of_real_time);
    }

    /// Audio thread: so many frames had to be silent; `first` if the one before was not.
    pub(crate) fn count_late(&self, frames: usize, first: bool) {
        let frames = frames as u64;
        self.counts.late_frames.fetch_add(frames, Ordering::Relaxed);
        if first {
            self.counts.dropouts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Audio thread: the worker is to begin anew.
    pub(crate) fn count_restart(&self) {
        self.counts.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// Audio thread: the worker gave no answer for so long that there will be none.
    pub(crate) fn set_unanswered(&self) {
        self.unanswered.store(true, Ordering::Relaxed);
    }

    /// Main thread: a new activation begins.
    pub(crate) fn begin_activation(&self) {
        let CountsNow {
            dropouts,
            late_frames,
            restarts,
        } = &self.counts;
        for count in [dropouts, late_frames, restarts] {
            count.store(0, Ordering::Relaxed);
        }
        self.load.set(0.0);
        self.unanswered.store(false, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct CountsNow {
    dropouts: AtomicU64,
    late_frames: AtomicU64,
    restarts: AtomicU64,
}

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct AtomicF32(AtomicU32);

impl AtomicF32 {
    pub(crate) fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, value: f32) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

/// Amplitude in dBFS; `-inf` for silence.
#[must_use]
pub fn dbfs(amplitude: f32) -> f32 {
    20.0 * amplitude.log10()
}
