//! All processes of a training as one.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bunri_libtorch::{Group, Store};
use tch::{Device, Tensor};

use super::deadline::Deadline;
use super::lost::{self, Question};
use super::pulse::Pulse;
use super::roll::{End, Roll};
use super::{DistributedConfig, Environment, rendezvous};

/// How often a barrier asks whether all have come.
const POLL: Duration = Duration::from_millis(10);
/// How long a failed rank that hosts the store keeps it open, for the others to read why it failed.
const LINGER: Duration = Duration::from_secs(5);

/// This process and the others that train the same model: its collectives.
///
/// All ranks call the same ones in the same order. On one process ([`Cluster::alone`]) they do
/// nothing. Errors name the ranks that were lost and why, as far as anybody knows.
#[derive(Debug)]
pub struct Cluster {
    rank: usize,
    world: usize,
    local_rank: usize,
    link: Option<Arc<Link>>,
}

/// What binds this rank to the others.
#[derive(Debug)]
pub(super) struct Link {
    /// Dropped before the pulse, which guards against a hang in it.
    group: Mutex<Group>,
    store: Arc<Store>,
    roll: Roll,
    pulse: Mutex<Pulse>,
    progress: Arc<super::pulse::Progress>,
    interval: Duration,
    timeout: Duration,
    bucket_bytes: usize,
    hosts_store: bool,
    barriers: AtomicU64,
    has_ended: AtomicBool,
}

impl Cluster {
    /// One process.
    #[must_use]
    pub fn alone() -> Self {
        Self {
            rank: 0,
            world: 1,
            local_rank: 0,
            link: None,
        }
    }

    /// Meets all other ranks. `device` is where this rank's tensors will be.
    ///
    /// # Errors
    /// Ranks that do not come, by number; a store that cannot be reached; no NCCL in this libtorch.
    pub fn join(place: &Environment, device: Device, config: &DistributedConfig) -> Result<Self> {
        config.validate()?;
        let timeout = config.join_timeout();
        let deadline = Deadline::after(timeout);
        let meeting = &place.meeting;
        let addresses = rendezvous::resolve(place, deadline)?;
        let connect = || rendezvous::connect(place, &addresses, timeout, deadline);
        let hosts_store = place.rank == 0 && !meeting.hosted_by_launcher;
        let store = if hosts_store {
            rendezvous::host(meeting.port, timeout, deadline)?
        } else {
            connect()?
        };
        let store = Arc::new(store);
        // A connection for the pulse alone: a collective's set-up may hold the other one for long.
        let own = connect()?;
        let roll = {
            let (store, place) = (Arc::clone(&store), place.clone());
            let calling = move || Roll::call(&store, &place, deadline);
            // Its own message has a moment to come.
            let called = Deadline::after(deadline.remaining() + POLL * 50).run(calling);
            called.with_context(|| {
                format!("the store at {meeting} no longer answers: has its process stopped?")
            })??
        };
        let pulse = Pulse::start(own, roll.clone(), config.timeout())?;
        let (progress, interval) = (Arc::clone(&pulse.progress), pulse.interval);
        let Environment { rank, world, .. } = *place;
        let group = Group::join(
            &store,
            &roll.shared("group"),
            rank,
            world,
            config.backend(device),
            config.timeout(),
        )
        .with_context(|| format!("connecting {}", roll.name(rank)))?;
        let link = Link {
            group: Mutex::new(group),
            store,
            roll,
            pulse: Mutex::new(pulse),
            progress,
            interval,
            timeout: config.timeout(),
            bucket_bytes: config.bucket_bytes(),
            hosts_store,
            barriers: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
        };
        Ok(Self {
            rank,
            world,
            local_rank: place.local_rank,
            link: Some(Arc::new(link)),
        })
    }

    /// Number of this process; rank 0 writes files and talks to the user.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many processes there are.
    #[must_use]
    pub fn world(&self) -> usize {
        self.world
    }

    /// Number of this process on its machine.
    #[must_use]
    pub fn local_rank(&self) -> usize {
        self.local_rank
    }

    /// Whether this is the process that writes files.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// This rank's part of `count` things that all ranks share out: the parts of all ranks follow
    /// each other without overlap, and differ by at most one in length.
    #[must_use]
    pub fn share(&self, count: usize) -> Range<usize> {
        let start = |rank: usize| rank * count / self.world;
        start(self.rank)..start(self.rank + 1)
    }

    /// Tells the others, should this rank be lost, in which step it was. Once per step.
    pub fn at_step(&self, step: u64) {
        if let Some(link) = &self.link {
            link.progress.at_step(step);
        }
    }

    /// This rank works, though it calls no collective: for long pieces of work that the others wait
    /// for, more often than the timeout.
    pub fn still_here(&self) {
        if let Some(link) = &self.link {
            link.progress.moved();
        }
    }

    /// Puts the sum over all ranks in the place of every tensor.
    ///
    /// # Errors
    /// Lost ranks.
    pub fn sum(&self, tensors: &[Tensor]) -> Result<()> {
        let Some(link) = &self.link else {
            return Ok(());
        };
        link.progress.begin();
        self.explain(link.group().sum(&detached(tensors)))
    }

    /// Puts the mean over all ranks in the place of every tensor.
    ///
    /// # Errors
    /// Lost ranks.
    pub fn mean(&self, tensors: &[Tensor]) -> Result<()> {
        self.sum(tensors)?;
        if self.world > 1 {
            for mut tensor in detached(tensors) {
                let _ = tensor.f_div_scalar_(self.world as f64)?;
            }
        }
        Ok(())
    }

    /// Sums of a few figures over all ranks, in double precision: for logs and decisions.
    ///
    /// # Errors
    /// Lost ranks.
    pub fn sum_figures(&self, figures: &[f64]) -> Result<Vec<f64>> {
        let tensor = Tensor::from_slice(figures);
        self.sum(std::slice::from_ref(&tensor))?;
        Ok(Vec::try_from(tensor)?)
    }

    /// Whether any rank says yes: all ranks decide alike.
    ///
    /// # Errors
    /// Lost ranks.
    pub fn any(&self, yes: bool) -> Result<bool> {
        Ok(self.sum_figures(&[f64::from(u8::from(yes))])?[0] > 0.0)
    }

    /// Puts rank 0's tensors in the place of all others'.
    ///
    /// # Errors
    /// Lost ranks.
    pub fn broadcast(&self, tensors: &[Tensor]) -> Result<()> {
        let Some(link) = &self.link else {
            return Ok(());
        };
        link.progress.begin();
        self.explain(link.group().broadcast(&detached(tensors), 0))
    }

    /// Waits until all ranks have come here, as long as it takes while all of them are alive and
    /// say so ([`Cluster::still_here`]).
    ///
    /// # Errors
    /// Lost ranks.
    pub fn barrier(&self) -> Result<()> {
        let Some(link) = &self.link else {
            return Ok(());
        };
        link.progress.begin();
        let number = link.barriers.fetch_add(1, Ordering::Relaxed);
        let key = link.roll.shared(&format!("barrier/{number}"));
        let mut come = link.store.add(&key, 1);
        let started = Instant::now();
        let mut asked = Instant::now();
        while self.explain(come)? < self.world as i64 {
            link.progress.moved();
            thread::sleep(POLL);
            if let Some(who) = link.progress.lost() {
                link.progress.noticed(who.clone());
                bail!("{who}");
            }
            // Whoever is alive but hangs is found by asking.
            if asked.elapsed() > link.timeout / 2 {
                asked = Instant::now();
                if let Some(who) = link.find(link.timeout) {
                    link.progress.noticed(who.clone());
                    bail!(
                        "{who}; this rank has waited for {:.0} s",
                        started.elapsed().as_secs_f64()
                    );
                }
            }
            come = link.store.add(&key, 0);
        }
        Ok(())
    }

    /// Adds to a failure what is known about the other ranks. For failures of work that waits for
    /// them: a backward pass that a [`Reducer`](super::Reducer) has prepared.
    ///
    /// # Errors
    /// The failure that was given, if any.
    pub fn explain<T, E: Into<anyhow::Error>>(&self, result: Result<T, E>) -> Result<T> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error.into(),
        };
        let Some(link) = &self.link else {
            return Err(error);
        };
        let who = link.find(link.timeout / 2).or_else(|| link.progress.lost());
        Err(match who {
            None => error,
            Some(who) => {
                link.progress.noticed(who.clone());
                error.context(format!(
                    "{who}; this rank was in step {}",
                    link.progress.step()
                ))
            }
        })
    }

    /// Ends this rank's part with the training's `result`, which it hands back: the others learn
    /// why it failed, and whoever hosts the store stays until all have left.
    ///
    /// # Errors
    /// The error that was given.
    pub fn finish<T>(self, result: Result<T>) -> Result<T> {
        if let Some(link) = &self.link {
            link.end(&match &result {
                Ok(_) => End::Finished,
                Err(_) if link.progress.has_noticed() => End::Followed,
                Err(error) => End::Failed(format!("{error:#}")),
            });
        }
        result
    }

    pub(super) fn link(&self) -> Option<&Arc<Link>> {
        self.link.as_ref()
    }
}

impl Link {
    pub(super) fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self) {
        self.progress.begin();
    }

    pub(super) fn bucket_bytes(&self) -> usize {
        self.bucket_bytes
    }

    fn find(&self, idle: Duration) -> Option<String> {
        let question = Question {
            begun: self.progress.begun(),
            idle,
            interval: self.interval,
        };
        lost::find(&self.store, &self.roll, &question)
    }

    /// Leaves a last word, once.
    fn end(&self, end: &End) {
        if self.has_ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let _ = self.roll.end(&self.store, end);
        if self.hosts_store {
            let patience = match end {
                End::Finished => self.timeout,
                _ => LINGER.min(self.timeout),
            };
            self.wait_for_others(patience);
        }
        // Where ranks are lost the guard stays: leaving the group may hang, too.
        if *end != End::Followed {
            let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
            pulse.stop();
        }
    }

    /// Until all others have left their last word, or one is lost.
    fn wait_for_others(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let has_ended = |rank| !matches!(self.roll.end_of(&self.store, rank), Ok(None));
        while Instant::now() < deadline
            && self.progress.lost().is_none()
            && !self.roll.others().all(has_ended)
        {
            thread::sleep(POLL);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // After `finish` this does nothing.
            link.end(&End::Failed(
                "it ended without a reason (a panic?)".to_owned(),
            ));
        }
    }
}

/// Handles without gradients: parameters are written in place.
fn detached(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(Tensor::detach).collect()
}
