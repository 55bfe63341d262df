//! Ctrl-C, heard: once to stop and tidy up, twice to stop at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use bunri_stream::files::remove_unfinished;

use super::new_folders::remove_new_folders;
use crate::output::eprint_line;
use crate::signals;

/// Exit code of a program that was interrupted: 128 + SIGINT, as shells expect.
pub(super) const INTERRUPTED_EXIT_CODE: u8 = 130;

/// How long the run has to stop by itself. It is asked between blocks only, and an input may be a pipe
/// into which nothing is ever written.
const GRACE: Duration = Duration::from_secs(2);

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
                // The user has lost patience.
                exit();
            }
            let timer = thread::Builder::new().name("interrupt".into()).spawn(|| {
                thread::sleep(GRACE);
                eprint_line!(
                    "interrupted in the middle of a block; nothing unfinished is left behind"
                );
                exit();
            });
            if timer.is_err() {
                exit();
            }
        })?;
        Ok(interrupt)
    }

    /// Whether to stop; asked between blocks.
    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// As an error, so that everything is tidied up on the way out.
    ///
    /// # Errors
    /// If the user has asked to stop.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_requested() {
            bail!("interrupted");
        }
        Ok(())
    }
}

/// Ends the process from beside the thread that works.
fn exit() -> ! {
    remove_unfinished();
    remove_new_folders();
    std::process::exit(INTERRUPTED_EXIT_CODE.into());
}
