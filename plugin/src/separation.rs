//! The main thread's half of one activation: starts the worker, knows the latency, and ends it.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bunri_stream::StemModel;
use crossbeam_channel::{Receiver, Sender, bounded};
use ringbuf::HeapRb;
use ringbuf::traits::Split;

use crate::exchange::{Counts, HostSetup, Shared, Timing};
use crate::guarded;
use crate::link::{AudioLink, Connection, StemStream};
use crate::monitor::{Activation, Monitor, Phase};
use crate::opener::Informed;
use crate::priority;
pub use crate::worker::Fitting;
use crate::worker::{Separator, Succession, Worker};

/// Latency in host frames, at any rate, while there is no model to tell its own.
pub const LATENCY_WITHOUT_MODEL_FRAMES: usize = 4096;

/// A running separation. Dropping it ends the worker; that takes no longer than a chunk.
#[derive(Debug)]
pub struct Separation<M> {
    shared: Arc<Shared>,
    host: HostSetup,
    latency_frames: usize,
    timing: Option<Timing>,
    /// Models that are to take over, to the worker.
    successors: Sender<Separator<M>>,
    /// The model, when the worker has ended.
    returned: Receiver<Fitting<M>>,
    worker: Option<JoinHandle<()>>,
}

impl<M: StemModel + Informed + Send + 'static> Separation<M> {
    /// Separates with `model`, on a new worker thread.
    ///
    /// Always gives an [`AudioLink`]: where there is no model, or none that this host can use, it
    /// passes the input dry, [`LATENCY_WITHOUT_MODEL_FRAMES`] late. The monitor's
    /// [`Phase`] says which; `otherwise` is what it says where `model` is `None`.
    pub fn start(
        host: HostSetup,
        model: Option<Fitting<M>>,
        otherwise: Phase,
        monitor: Arc<Monitor>,
    ) -> (Self, AudioLink) {
        monitor.begin_activation();
        let shared = Arc::new(Shared::new(Arc::clone(&monitor)));
        let (successors, worker_successors) = bounded(1);
        let (give_back, returned) = bounded(1);
        let separator = model.map(|model| Separator::new(model, &host));
        let started = match separator {
            None => Err(otherwise),
            Some(Err(reason)) => Err(Phase::Dry { reason }),
            Some(Ok(separator)) => {
                let timing = separator.timing();
                let ring_frames = timing.ring_frames(&host);
                let (input, worker_input) = touched_ring(ring_frames).split();
                let (worker_stems, stems) = touched_ring(ring_frames).split();
                let worker = Worker {
                    models: Succession::new(separator, host.rate_hz),
                    rate_hz: host.rate_hz,
                    input: worker_input,
                    stems: worker_stems,
                    shared: Arc::clone(&shared),
                    successors: worker_successors,
                    idle: idle_time(&timing, &host),
                };
                spawn(worker, give_back, host).map(|worker| {
                    let connection = Connection {
                        input,
                        stems,
                        shared: Arc::clone(&shared),
                        timing,
                        worker: worker.thread().clone(),
                    };
                    (worker, connection, timing)
                })
            }
        };
        let (worker, stream, timing, phase) = match started {
            Ok((worker, connection, timing)) => {
                let stream = StemStream::new(connection, host);
                (Some(worker), Some(stream), Some(timing), Phase::Separating)
            }
            Err(phase) => (None, None, None, phase),
        };
        let latency_frames = timing.map_or(LATENCY_WITHOUT_MODEL_FRAMES, |timing| {
            timing.latency_frames()
        });
        monitor.update(|status| {
            status.phase = phase;
            status.activation = Some(Activation {
                rate_hz: host.rate_hz,
                max_block_frames: host.max_block_frames,
                offline: host.offline,
                latency_frames,
            });
        });
        let link = AudioLink::new(stream, latency_frames, &host, monitor);
        let separation = Self {
            shared,
            host,
            latency_frames,
            timing,
            successors,
            returned,
            worker,
        };
        (separation, link)
    }

    /// Ends the worker and gives its model back, for the next activation; `None` where there was
    /// none, or it broke.
    pub fn stop(mut self) -> Option<Fitting<M>> {
        self.end_worker();
        self.returned.try_recv().ok()
    }

    /// Lets another model take over from the one that is heard, without a gap.
    ///
    /// # Errors
    /// Gives the model back, with the latency it will have, where that can only be after a new
    /// activation; or says why it cannot serve this host at all.
    pub fn succeed(&self, model: Fitting<M>) -> Result<(), Unheard<M>> {
        let separator = Separator::new(model, &self.host).map_err(Unheard::Unfit)?;
        let timing = separator.timing();
        let later = |separator: Separator<M>| Unheard::NotYet {
            latency_frames: timing.latency_frames(),
            model: separator.into_fitting(),
        };
        if self.timing != Some(timing) || self.shared.failed() {
            return Err(later(separator));
        }
        self.successors
            .try_send(separator)
            .map_err(|refused| later(refused.into_inner()))
    }
}

/// Why a model is not heard at once.
#[derive(Debug)]
pub enum Unheard<M> {
    /// It has another latency.
    NotYet {
        /// The model.
        model: Fitting<M>,
        /// Latency in host frames that it will have.
        latency_frames: usize,
    },
    /// It cannot serve this host: a sentence for the user.
    Unfit(String),
}

impl<M> Separation<M> {
    /// The latency of all buses in host frames, fixed until the next activation.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.latency_frames
    }

    /// Whether stems are made, and if not, why.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.shared.monitor.status().phase.clone()
    }

    /// What went wrong so far, in numbers.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.monitor.counts()
    }

    fn end_worker(&mut self) {
        self.shared.stop();
        if let Some(worker) = self.worker.take() {
            worker.thread().unpark();
            // An error is a panic, which `guarded` has already reported.
            let _ = worker.join();
        }
    }
}

impl<M> Drop for Separation<M> {
    /// Waits for the worker: a host may unload the plugin's code right afterwards.
    fn drop(&mut self) {
        self.end_worker();
    }
}

fn spawn<M: StemModel + Informed + Send + 'static>(
    worker: Worker<M>,
    give_back: Sender<Fitting<M>>,
    host: HostSetup,
) -> Result<JoinHandle<()>, Phase> {
    let shared = Arc::clone(&worker.shared);
    let work = move || {
        if !host.offline {
            priority::raise();
        }
        match guarded(|| worker.run()) {
            Ok(model) => {
                if let Some(model) = model {
                    let _ = give_back.try_send(model);
                }
            }
            Err(reason) => shared.fail_for(reason),
        }
    };
    thread::Builder::new()
        .name("bunri-worker".into())
        .spawn(work)
        .map_err(|error| Phase::Dry {
            reason: format!("no thread to separate on: {error}"),
        })
}

/// An empty ring that was full: the system hands out memory at its first touch, which would otherwise be
/// the audio thread's, hundreds of times in the first second.
fn touched_ring<T: Copy + Default>(frames: usize) -> HeapRb<T> {
    let mut ring = HeapRb::new(frames);
    ring.push_iter(std::iter::repeat_n(T::default(), frames));
    ring.clear();
    ring
}

/// A sixteenth of the worker's time for a hop: small beside it, and seldom enough to cost nothing.
fn idle_time(timing: &Timing, host: &HostSetup) -> Duration {
    let seconds = host.seconds(timing.budget_frames) / 16.0;
    Duration::from_secs_f64(seconds.clamp(0.0005, 0.004))
}
