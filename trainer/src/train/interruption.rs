//! Ctrl-C and SIGTERM: the step in hand is finished and saved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// Becomes true when the user, or a machine that is taken away, asks the run to end.
pub(super) fn interruption() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let setter = Arc::clone(&flag);
    ctrlc::set_handler(move || setter.store(true, Ordering::Relaxed))
        .context("catching Ctrl-C and SIGTERM")?;
    Ok(flag)
}
