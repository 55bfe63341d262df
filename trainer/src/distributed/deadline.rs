//! A limit on work that cannot be interrupted: a name's resolution, an answer from a socket.

use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A time limit with the moment at which it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    limit: Duration,
    end: Instant,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self {
            limit,
            end: Instant::now() + limit,
        }
    }

    pub(super) fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    pub(super) fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// What `work` returns, if that is before the deadline. Otherwise its thread is left behind: work
    /// that waits in the kernel or in libtorch cannot be ended.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (result, results) = mpsc::channel();
        thread::spawn(move || {
            // After the deadline nobody receives it.
            let _ = result.send(work());
        });
        results.recv_timeout(self.remaining()).ok()
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.limit.as_secs_f64())
    }
}
