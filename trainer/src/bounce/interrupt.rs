//! Ctrl-C, heard: once to stop and tidy up, twice to stop at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use bunri_stream::files::remove_unfinished;

use crate::signals;

/// Exit code of a program that was interrupted: 128 + SIGINT, as shells expect.
pub(super) const INTERRUPTED_EXIT_CODE: u8 = 130;

/// Whether the user has asked to stop (Ctrl-C, SIGTERM or a closed terminal).
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen, once per process.
    pub(super) fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let asked = interrupt.clone();
        signals::listen(move |_| {
            if asked.0.swap(true, Ordering::SeqCst) {
                // The model may be busy for long with one chunk, and the user has lost patience.
                remove_unfinished();
                std::process::exit(INTERRUPTED_EXIT_CODE.into());
            }
        })?;
        Ok(interrupt)
    }

    /// Whether to stop; asked between blocks.
    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
