//! What the plugin and the fence around nice-plug tell each other past nice-plug.
//!
//! nice-plug 0.4.2 announces a latency that was set in `activate` by asking the host for a restart,
//! so that every plugin with latency is activated twice; it does not tell the length of the host's
//! block where it splits it for automation, nor that the host renders offline since it was
//! activated; and it lets nobody but an open editor ask for a restart. The fence sees it all go by.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::exchange::HostBlock;

/// One for each plugin instance, shared by its two halves.
#[derive(Default)]
pub struct HostSide {
    latency_frames: AtomicUsize,
    block_frames: AtomicUsize,
    block_offline: AtomicBool,
    restart: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl HostSide {
    /// Plugin, main thread, in `activate`: the latency from now on.
    pub fn set_latency_frames(&self, frames: usize) {
        self.latency_frames.store(frames, Ordering::Relaxed);
    }

    /// The latency of the latest activation.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.latency_frames.load(Ordering::Relaxed)
    }

    /// Fence, audio thread: a block of the host's begins. Real-time safe.
    pub fn begin_block(&self, HostBlock { frames, offline }: HostBlock) {
        self.block_frames.store(frames, Ordering::Relaxed);
        self.block_offline.store(offline, Ordering::Relaxed);
    }

    /// The host's present block, of which the plugin may see a part. Real-time safe.
    #[must_use]
    pub fn block(&self) -> HostBlock {
        HostBlock {
            frames: self.block_frames.load(Ordering::Relaxed),
            offline: self.block_offline.load(Ordering::Relaxed),
        }
    }

    /// Fence: how the host is asked for a restart; once.
    pub fn set_restart(&self, restart: impl Fn() + Send + Sync + 'static) {
        let _ = self.restart.set(Box::new(restart));
    }

    /// Asks the host to deactivate and activate the plugin when it sees fit. Any thread.
    pub fn ask_for_restart(&self) {
        if let Some(restart) = self.restart.get() {
            restart();
        }
    }
}

/// A task for [`Plugin::BackgroundTask`](nice_plug::prelude::Plugin::BackgroundTask): the one way
/// through nice-plug to the plugin that was just made.
pub enum Introduction {
    /// Sends the plugin's end of everything.
    Introduce(crossbeam_channel::Sender<std::sync::Arc<HostSide>>),
}
