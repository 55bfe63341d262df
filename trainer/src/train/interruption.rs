//! Ctrl-C and SIGTERM: the step in hand is finished and saved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use crate::signals;

/// What is heard from the user, or from a machine that is taken away.
#[derive(Clone, Debug, Default)]
pub(super) struct Interruption {
    is_asked: Arc<AtomicBool>,
    is_training: Arc<AtomicBool>,
}

impl Interruption {
    /// Starts to listen, before anything computes. Until the training starts there is nothing to
    /// save, and a request ends the process.
    pub(super) fn listen() -> Result<Self> {
        let interruption = Self::default();
        let Self {
            is_asked,
            is_training,
        } = interruption.clone();
        signals::listen(move |signal| {
            if is_training.load(Ordering::Relaxed) {
                is_asked.store(true, Ordering::Relaxed);
            } else {
                // As shells tell of a signal.
                bunri_libtorch::exit_at_once(128 + signal);
            }
        })?;
        Ok(interruption)
    }

    /// From here on a request is left for the training to see.
    pub(super) fn start_training(&self) {
        self.is_training.store(true, Ordering::Relaxed);
    }

    /// Whether the run is asked to end.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }
}
