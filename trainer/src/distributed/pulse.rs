//! Signs of life, given and watched beside the training.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use bunri_libtorch::Store;

use super::roll::{Beat, End, Roll};

/// Exit code of a rank that had to be ended because another one was lost.
pub(super) const LOST_RANK_EXIT_CODE: i32 = 1;

/// How long the training may take to notice by itself once a rank is lost. Once it has, it may take
/// the timeout to save and end in good order.
const GRACE: Duration = Duration::from_secs(10);

/// How often signs of life are given, for a timeout: several times within it, and once a second at
/// most, for all ranks ask one store.
pub(super) fn interval(timeout: Duration) -> Duration {
    (timeout / 8).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// What the training tells and the pulse passes on.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    step: AtomicU64,
    begun: AtomicU64,
    /// When the training last told anything, in milliseconds since `started`.
    moved_ms: AtomicU64,
    /// When the store last answered, likewise.
    answered_ms: AtomicU64,
    is_over: AtomicBool,
    /// Whether the training knows that somebody is lost.
    has_noticed: AtomicBool,
    lost: Mutex<Option<String>>,
}

impl Progress {
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The training does something.
    pub(super) fn moved(&self) {
        self.moved_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    pub(super) fn at_step(&self, step: u64) {
        self.step.store(step, Ordering::Relaxed);
        self.moved();
    }

    /// A collective begins.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.moved();
    }

    pub(super) fn step(&self) -> u64 {
        self.step.load(Ordering::Relaxed)
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Who was lost, once some rank has found out.
    pub(super) fn lost(&self) -> Option<String> {
        let lost = self.lost.lock();
        lost.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The training has found out who was lost, and ends.
    pub(super) fn noticed(&self, who: String) {
        self.has_noticed.store(true, Ordering::Relaxed);
        self.set_lost(who);
    }

    pub(super) fn has_noticed(&self) -> bool {
        self.has_noticed.load(Ordering::Relaxed)
    }

    fn set_lost(&self, who: String) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.get_or_insert(who);
    }

    fn beat(&self, count: u64) -> Beat {
        let idle_ms = self
            .now_ms()
            .saturating_sub(self.moved_ms.load(Ordering::Relaxed));
        Beat {
            count,
            step: self.step(),
            begun: self.begun(),
            idle_ms,
        }
    }
}

/// Two threads: one talks with the store, one sees to it that this process ends if the training
/// cannot, for a kernel that waits for a lost rank's data waits for ever.
#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) progress: Arc<Progress>,
    pub(super) interval: Duration,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Pulse {
    /// Starts to give signs of life over a connection of its own, and to watch the next rank's.
    ///
    /// # Errors
    /// The first sign cannot be given.
    pub(super) fn start(store: Store, roll: Roll, timeout: Duration) -> Result<Self> {
        let interval = interval(timeout);
        let progress = Arc::new(Progress {
            started: Instant::now(),
            step: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            moved_ms: AtomicU64::new(0),
            answered_ms: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            has_noticed: AtomicBool::new(false),
            lost: Mutex::new(None),
        });
        roll.beat(&store, &progress.beat(0))?;
        let store_host = roll.store_host();
        let talk = {
            let progress = Arc::clone(&progress);
            move || talk(&store, &roll, &progress, interval, timeout)
        };
        let guard = {
            let progress = Arc::clone(&progress);
            move || guard(&progress, &store_host, interval, timeout)
        };
        Ok(Self {
            threads: vec![thread::spawn(talk), thread::spawn(guard)],
            progress,
            interval,
        })
    }

    /// Stops both threads, unless the store holds one of them.
    pub(super) fn stop(&mut self) {
        self.progress.is_over.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + self.interval * 4;
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            while !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Gives signs of life and watches the next rank that has not ended; each rank is watched by one.
fn talk(store: &Store, roll: &Roll, progress: &Progress, interval: Duration, timeout: Duration) {
    let mut watched: Vec<usize> = roll.others().collect();
    watched.reverse(); // the next one last
    let mut last_change = (None, Instant::now());
    for count in 1.. {
        thread::park_timeout(interval);
        if progress.is_over.load(Ordering::Relaxed) {
            return;
        }
        let mut turn = || -> Result<bool> {
            roll.beat(store, &progress.beat(count))?;
            match (roll.cried(store)?, progress.lost()) {
                (Some(who), _) => progress.set_lost(who),
                // The others may wait where no error reaches them.
                (None, Some(who)) => roll.cry(store, &who)?,
                (None, None) => {}
            }
            let Some(&next) = watched.last() else {
                return Ok(true);
            };
            let beat = roll.beat_of(store, next)?;
            if beat != last_change.0 {
                last_change = (beat, Instant::now());
            } else if last_change.1.elapsed() > timeout {
                match roll.end_of(store, next)? {
                    Some(End::Finished) => return Ok(false),
                    _ => roll.cry(store, &silence(roll, next, beat, timeout))?,
                }
            }
            Ok(true)
        };
        match turn() {
            Ok(keep) => {
                progress
                    .answered_ms
                    .store(progress.now_ms(), Ordering::Relaxed);
                if !keep {
                    watched.pop();
                    last_change = (None, Instant::now());
                }
            }
            Err(_) if progress.is_over.load(Ordering::Relaxed) => return,
            Err(_) => {
                progress.set_lost(format!("{} is gone", roll.store_host()));
                return;
            }
        }
    }
}

fn silence(roll: &Roll, rank: usize, beat: Option<Beat>, timeout: Duration) -> String {
    format!(
        "{} has given no sign of life for {:.0} s; its last came in step {}",
        roll.name(rank),
        timeout.as_secs_f64(),
        beat.map_or(0, |beat| beat.step),
    )
}

/// Ends the process when a rank is lost and the training does not notice.
fn guard(progress: &Progress, store_host: &str, interval: Duration, timeout: Duration) {
    loop {
        thread::park_timeout(interval);
        if progress.is_over.load(Ordering::Relaxed) {
            return;
        }
        let answered_ms = progress.answered_ms.load(Ordering::Relaxed);
        let waiting = Duration::from_millis(progress.now_ms().saturating_sub(answered_ms));
        if waiting > timeout + interval {
            progress.set_lost(format!(
                "{store_host} has not answered for {:.0} s",
                waiting.as_secs_f64()
            ));
        }
        if let Some(who) = progress.lost() {
            wait_for(progress, GRACE.min(timeout));
            if progress.has_noticed() {
                wait_for(progress, timeout);
            }
            if progress.is_over.load(Ordering::Relaxed) {
                return;
            }
            // Not `eprintln`, which panics where the reader is gone, too.
            let _ = writeln!(
                std::io::stderr(),
                "Error: {who}. This rank waits for it in step {} and cannot go on: ended",
                progress.step()
            );
            bunri_libtorch::exit_at_once(LOST_RANK_EXIT_CODE);
        }
    }
}

/// Waits, unless the training ends before.
fn wait_for(progress: &Progress, time: Duration) {
    let deadline = Instant::now() + time;
    while !progress.is_over.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= deadline {
            return;
        }
        thread::park_timeout(deadline - now);
    }
}
