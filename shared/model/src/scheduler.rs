//! Many live streams on few threads: whoever's deadline is next is served first, together with all
//! who wait with the same network.
//!
//! ```text
//! ScheduledSeparator ─ chunk, deadline ─┐
//! ScheduledSeparator ─ chunk, deadline ─┼─ queue ─ worker ─ one batch through the network ─ stems
//! ```
//!
//! Batches form only where streams wait for each other, so a machine with time to spare serves
//! each one alone and at once. A chunk in a batch may differ from the same chunk alone in its last
//! bits; work without a deadline (offline) is therefore never batched, nor queued.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bunri_stream::{ModelSpec, Planar, SeparateError, StemModel};

use crate::separator::{Separator, separate_together};

/// Most streams in one batch: beyond it the first of them waits long, and little more is gained.
const MAX_BATCH: usize = 8;

/// Threads that separate for streams; they end with the process.
#[derive(Debug)]
pub struct Scheduler {
    queue: Mutex<Vec<Job>>,
    arrived: Condvar,
}

/// One chunk of one stream, on its way to a worker and back.
#[derive(Debug)]
struct Job {
    separator: Separator,
    chunk: Planar,
    stems: Vec<Planar>,
    deadline: Instant,
    reply: SyncSender<Reply>,
}

/// A job that a worker is done with, and how it went.
type Reply = (Job, Result<(), String>);

impl Scheduler {
    /// Starts `workers` threads (at least one), on each of which libtorch uses one thread.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(workers: usize) -> std::io::Result<Arc<Self>> {
        let scheduler = Arc::new(Self {
            queue: Mutex::default(),
            arrived: Condvar::new(),
        });
        for index in 0..workers.max(1) {
            let scheduler = Arc::clone(&scheduler);
            thread::Builder::new()
                .name(format!("bunri-compute-{index}"))
                .spawn(move || {
                    tch::set_num_threads(1);
                    scheduler.work();
                })?;
        }
        Ok(scheduler)
    }

    fn queue(&self) -> MutexGuard<'_, Vec<Job>> {
        // Nothing panics while it holds the queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, job: Job) {
        self.queue().push(job);
        self.arrived.notify_one();
    }

    fn work(&self) {
        loop {
            let mut batch = self.next_batch();
            let mut parts: Vec<(&mut Separator, &Planar, &mut [Planar])> = batch
                .iter_mut()
                .map(|job| (&mut job.separator, &job.chunk, &mut *job.stems))
                .collect();
            let result = catch_unwind(AssertUnwindSafe(|| separate_together(&mut parts)));
            let result = match result {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(_) => Err("the network panicked".to_owned()),
            };
            for job in batch {
                let reply = job.reply.clone();
                // A stream that is gone needs no answer.
                let _ = reply.send((job, result.clone()));
            }
        }
    }

    /// Waits for work; gives the job with the earliest deadline, and those that can go with it.
    fn next_batch(&self) -> Vec<Job> {
        let mut queue = self.queue();
        loop {
            let first = (0..queue.len()).min_by_key(|&index| queue[index].deadline);
            let Some(first) = first else {
                queue = self
                    .arrived
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let mut batch = vec![queue.swap_remove(first)];
            queue.sort_by_key(|job| job.deadline);
            let mut index = 0;
            while index < queue.len() && batch.len() < MAX_BATCH {
                if batch[0]
                    .separator
                    .can_share_a_batch(&queue[index].separator)
                {
                    batch.push(queue.remove(index));
                } else {
                    index += 1;
                }
            }
            return batch;
        }
    }
}

/// A stream whose chunks go through a [`Scheduler`] while it has a deadline to keep.
#[derive(Debug)]
pub struct ScheduledSeparator {
    scheduler: Arc<Scheduler>,
    spec: ModelSpec,
    /// `None` only while a worker has it, or after one lost it.
    separator: Option<Separator>,
    budget: Option<Duration>,
    chunk: Planar,
    stems: Vec<Planar>,
    reply: (SyncSender<Reply>, Receiver<Reply>),
}

impl ScheduledSeparator {
    /// Puts a stream under a scheduler, at first without a deadline.
    #[must_use]
    pub fn new(separator: Separator, scheduler: Arc<Scheduler>) -> Self {
        let spec = separator.spec().clone();
        let chunk = Planar::zeros(spec.channels, spec.chunk_frames);
        Self {
            scheduler,
            stems: vec![chunk.clone(); spec.stems.len()],
            chunk,
            spec,
            separator: Some(separator),
            budget: None,
            reply: sync_channel(1),
        }
    }
}

impl StemModel for ScheduledSeparator {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        self.spec.check_shapes(chunk, stems)?;
        let lost = || SeparateError::Model("the stream was lost: open the model again".into());
        let Some(budget) = self.budget else {
            return self
                .separator
                .as_mut()
                .ok_or_else(lost)?
                .separate(chunk, stems);
        };
        self.chunk.clone_from(chunk);
        self.scheduler.submit(Job {
            separator: self.separator.take().ok_or_else(lost)?,
            chunk: std::mem::take(&mut self.chunk),
            stems: std::mem::take(&mut self.stems),
            deadline: Instant::now() + budget,
            reply: self.reply.0.clone(),
        });
        let (job, result) = self.reply.1.recv().map_err(|_| lost())?;
        self.separator = Some(job.separator);
        self.chunk = job.chunk;
        self.stems = job.stems;
        result.map_err(SeparateError::Model)?;
        for (to, from) in stems.iter_mut().zip(&self.stems) {
            to.clone_from(from);
        }
        Ok(())
    }

    /// Without a budget the calling thread separates by itself, at once.
    fn set_budget(&mut self, budget: Option<Duration>) {
        self.budget = budget;
    }

    fn reset(&mut self) {
        let Self {
            scheduler: _,
            spec: _,
            separator,
            budget: _,
            chunk: _, // overwritten before they are read
            stems: _,
            reply: _, // empty between two calls
        } = self;
        if let Some(separator) = separator {
            separator.reset();
        }
    }
}
