//! The worker thread's half: takes input from its ring, separates, puts stems into the other.
//!
//! It may block, allocate and be late. It looks at the ring every few milliseconds, because waking
//! it would be a system call, which the audio thread does not make. When it is late, it lets go what
//! nobody can hear any more, and so catches up as fast as the audio can be copied.
//!
//! - `watched`: a model whose output can be trusted to be numbers, and that rests where nobody listens.
//! - `separator`: a model that fits the buses, at the host's rate.
//! - `succession`: one model after another, without a gap.
//! - `load`: how much of real time the worker takes.

mod load;
mod separator;
mod succession;
mod watched;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bunri_stream::{Planar, StemModel};
use crossbeam_channel::Receiver;
use ringbuf::traits::{Consumer, Producer};
use ringbuf::{HeapCons, HeapProd};

use crate::exchange::{CHANNELS, InputFrame, Shared, StemFrame, StemSamples};
use crate::opener::Informed;
use load::Load;
pub use separator::Fitting;
pub(crate) use separator::Separator;
pub(crate) use succession::Succession;

/// Most frames taken out of the ring at once. Fewer than a hop of any model worth playing live, so
/// that a reset is seen between two hops.
const BLOCK_FRAMES: usize = 1024;

/// Chunks in a row that may fail before the stems are given up for this activation.
const FAILURES_TOLERATED: u64 = 3;

/// The worker thread's ends of everything.
pub(crate) struct Worker<M> {
    pub(crate) models: Succession<M>,
    pub(crate) rate_hz: u32,
    pub(crate) input: HeapCons<InputFrame>,
    pub(crate) stems: HeapProd<StemFrame>,
    pub(crate) shared: Arc<Shared>,
    /// Models of the same timing that are to take over.
    pub(crate) successors: Receiver<Separator<M>>,
    /// Pause between two looks at an empty (or a full) ring.
    pub(crate) idle: Duration,
}

impl<M: StemModel + Informed> Worker<M> {
    /// Works until the main thread says stop, and gives the model back; or until the model fails
    /// for good.
    pub(crate) fn run(self) -> Option<Fitting<M>> {
        let Self {
            mut models,
            rate_hz,
            mut input,
            mut stems,
            shared,
            successors,
            idle,
        } = self;
        let mut load = Load::new(rate_hz);
        // The device may be lost at any time, and the model go on elsewhere.
        let mut told = models.facts();
        let mut epoch = 0;
        let mut failures = 0;
        let mut incoming = vec![InputFrame::default(); BLOCK_FRAMES];
        let mut block = Planar::zeros(CHANNELS, 0);
        let mut separated: Vec<StemSamples> = Vec::new();
        let mut outgoing: Vec<StemFrame> = Vec::new();
        while !shared.stopping() {
            if let Ok(separator) = successors.try_recv() {
                models.prepare(separator);
            }
            let popped = input.pop_slice(&mut incoming);
            if popped == 0 {
                thread::park_timeout(idle);
                continue;
            }
            for run in incoming[..popped].chunk_by(|a, b| a.epoch == b.epoch) {
                if run[0].epoch != shared.epoch() {
                    continue; // nobody will hear it
                }
                if run[0].epoch != epoch {
                    epoch = run[0].epoch;
                    models.reset();
                }
                block.resize_frames(run.len());
                for channel in 0..CHANNELS {
                    for (sample, frame) in block.channel_mut(channel).iter_mut().zip(run) {
                        *sample = frame.samples[channel];
                    }
                }
                separated.clear();
                let began = Instant::now();
                let pushed = models.push(&block, shared.passed_frames(), &mut separated);
                if let Some(load) = load.worked(began.elapsed(), run.len()) {
                    shared.monitor.set_load(load);
                    let facts = models.facts();
                    if facts != told {
                        shared.monitor.update(|status| status.tell(facts.as_ref()));
                        told = facts;
                    }
                }
                match pushed {
                    Err((error, chunks)) => {
                        failures += chunks;
                        if failures >= FAILURES_TOLERATED {
                            shared.fail_for(error.to_string());
                            return None;
                        }
                    }
                    Ok(()) if separated.is_empty() => continue,
                    Ok(()) => failures = 0,
                }
                outgoing.clear();
                outgoing.extend(
                    separated
                        .iter()
                        .map(|&samples| StemFrame { epoch, samples }),
                );
                let mut rest = &outgoing[..];
                while !rest.is_empty() && !shared.stopping() && shared.epoch() == epoch {
                    let pushed = stems.push_slice(rest);
                    rest = &rest[pushed..];
                    if !rest.is_empty() {
                        thread::park_timeout(idle);
                    }
                }
            }
        }
        if let Ok(separator) = successors.try_recv() {
            models.prepare(separator);
        }
        Some(models.into_fitting())
    }
}
