//! The main thread's half: starts the worker, learns the latency, tells how it goes, and ends it.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bunri_stream::StemModel;
use crossbeam_channel::{Receiver, bounded};
use ringbuf::HeapRb;
use ringbuf::traits::Split;

use crate::exchange::{Counts, HostSetup, Shared, Timing};
use crate::link::{AudioLink, Connection, StemStream};
use crate::worker::{Separator, Worker};

/// Latency in host frames, at any rate, while there is no model to tell its own.
pub const LATENCY_WITHOUT_MODEL_FRAMES: usize = 4096;

/// How long the host waits in its activation for the engine and the model: far longer than a cold
/// start from a slow disk takes, not so long that a host seems to hang for good.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// What the user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Stems are made.
    Separating,
    /// The input passes, delayed by the reported latency, on the main bus; the stems are silent.
    Dry {
        /// Why, and what helps.
        reason: String,
    },
}

/// A running separation. Dropping it ends the worker; that takes no longer than a chunk.
#[derive(Debug)]
pub struct Separation {
    shared: Arc<Shared>,
    latency_frames: usize,
    condition: Condition,
    failure: Receiver<String>,
    worker: Option<JoinHandle<()>>,
}

impl Separation {
    /// Opens a model on a new worker thread and waits until its latency is known.
    ///
    /// Always gives an [`AudioLink`]: where there is no model, or none that fits, it passes the
    /// input dry, [`LATENCY_WITHOUT_MODEL_FRAMES`] late, and [`Separation::condition`] says why.
    /// `open` gives its reason as a sentence for the user.
    pub fn start<M, F>(host: HostSetup, open: F) -> (Self, AudioLink)
    where
        M: StemModel,
        F: FnOnce() -> Result<M, String> + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let (failure_sender, failure) = bounded(1);
        let (ready_sender, ready) = bounded(1);
        let worker_shared = Arc::clone(&shared);
        let worker = move || {
            let opened = guarded(|| Separator::new(open()?, &host)).flatten();
            let separator = match opened {
                Ok(separator) => separator,
                Err(reason) => return drop(ready_sender.send(Err(reason))),
            };
            let timing = separator.timing();
            let ring_frames = timing.ring_frames(&host);
            let (input, worker_input) = HeapRb::new(ring_frames).split();
            let (worker_stems, stems) = HeapRb::new(ring_frames).split();
            let connection = Connection {
                input,
                stems,
                shared: Arc::clone(&worker_shared),
                timing,
                worker: thread::current(),
            };
            if ready_sender.send(Ok((connection, timing))).is_err() {
                return; // the main thread no longer waits
            }
            let worker = Worker {
                separator,
                input: worker_input,
                stems: worker_stems,
                shared: Arc::clone(&worker_shared),
                failure: failure_sender.clone(),
                idle: idle_time(&timing, &host),
            };
            if let Err(reason) = guarded(|| worker.run()) {
                let _ = failure_sender.try_send(reason);
                worker_shared.fail();
            }
        };
        let (worker, ready) = match thread::Builder::new()
            .name("bunri-worker".into())
            .spawn(worker)
        {
            Ok(worker) => (Some(worker), ready.recv_timeout(OPEN_LIMIT)),
            Err(error) => (None, Ok(Err(format!("no thread to separate on: {error}")))),
        };
        let (stream, latency_frames, condition) = match ready {
            Ok(Ok((connection, timing))) => {
                let stream = StemStream::new(connection, host);
                (Some(stream), timing.latency_frames(), Condition::Separating)
            }
            Ok(Err(reason)) => (
                None,
                LATENCY_WITHOUT_MODEL_FRAMES,
                Condition::Dry { reason },
            ),
            Err(_) => {
                let reason = format!(
                    "the model did not open within {} s: deactivate and activate the plugin again",
                    OPEN_LIMIT.as_secs()
                );
                (
                    None,
                    LATENCY_WITHOUT_MODEL_FRAMES,
                    Condition::Dry { reason },
                )
            }
        };
        let link = AudioLink::new(stream, latency_frames, &host);
        (
            Self {
                shared,
                latency_frames,
                condition,
                failure,
                worker,
            },
            link,
        )
    }

    /// The latency of all buses in host frames, fixed until the next activation.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.latency_frames
    }

    /// Whether stems are made, and if not, why.
    pub fn condition(&mut self) -> &Condition {
        if let Ok(reason) = self.failure.try_recv() {
            self.condition = Condition::Dry { reason };
        } else if self.shared.failed() && self.condition == Condition::Separating {
            let reason = "the model no longer answers: deactivate and activate the plugin again";
            self.condition = Condition::Dry {
                reason: reason.into(),
            };
        }
        &self.condition
    }

    /// What went wrong so far, in numbers.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }
}

impl Drop for Separation {
    /// Waits for the worker: a host may unload the plugin's code right afterwards.
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(worker) = self.worker.take() {
            worker.thread().unpark();
            // An error is a panic, which `guarded` has already reported.
            let _ = worker.join();
        }
    }
}

/// A sixteenth of the worker's time for a hop: small beside it, and seldom enough to cost nothing.
fn idle_time(timing: &Timing, host: &HostSetup) -> Duration {
    let seconds = host.seconds(timing.budget_frames) / 16.0;
    Duration::from_secs_f64(seconds.clamp(0.0005, 0.004))
}

/// Turns a panic into its message, so that a broken model silences one plugin, not the host.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| payload.downcast_ref::<&str>().copied());
        format!("the model broke: {}", message.unwrap_or("no reason given"))
    })
}
