//! Finds out which ranks a failure is about.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use bunri_libtorch::Store;

use super::roll::{Beat, End, Roll};

/// What one look needs to know.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// How many collectives this rank has begun.
    pub(super) begun: u64,
    /// A rank that has begun fewer, and has done nothing for so long, hangs.
    pub(super) idle: Duration,
    /// How often ranks give signs of life.
    pub(super) interval: Duration,
}

/// Signs of life that a live rank gives while it is watched; all of them missing is no chance.
const BEATS_WATCHED: u32 = 4;

/// Who let this rank down, in words; `None` if all others are well.
///
/// Takes a few beats' time, unless a rank has left its reason. A store that does not answer for
/// twice as long is itself the answer.
pub(super) fn find(store: &Arc<Store>, roll: &Roll, question: &Question) -> Option<String> {
    let window = question.interval * BEATS_WATCHED;
    let (done, seen) = mpsc::channel();
    // Not joined: a store whose host is stopped holds whoever asks it.
    let looking = {
        let (store, roll, question) = (Arc::clone(store), roll.clone(), question.clone());
        move || {
            let _ = done.send(look(&store, &roll, &question, window));
        }
    };
    thread::spawn(looking);
    match seen.recv_timeout(window * 2 + Duration::from_secs(1)) {
        Ok(Ok(others)) => words(&others, roll, question),
        Ok(Err(_)) => Some(format!("{} is gone", roll.store_host())),
        Err(_) => Some(format!("{} does not answer", roll.store_host())),
    }
}

/// What another rank did while it was watched.
#[derive(Debug)]
struct Other {
    rank: usize,
    end: Option<End>,
    first: Option<Beat>,
    last: Option<Beat>,
}

impl Other {
    fn is_alive(&self) -> bool {
        self.last != self.first || self.end.is_some()
    }
}

/// Watches all others until all have shown themselves, or `window` has passed.
fn look(store: &Store, roll: &Roll, question: &Question, window: Duration) -> Result<Vec<Other>> {
    let started = Instant::now();
    let mut others = Vec::new();
    for rank in roll.others() {
        let first = roll.beat_of(store, rank)?;
        others.push(Other {
            rank,
            end: None,
            first,
            last: first,
        });
    }
    loop {
        for other in &mut others {
            other.last = roll.beat_of(store, other.rank)?;
            other.end = roll.end_of(store, other.rank)?;
        }
        let has_reason = |other: &Other| matches!(other.end, Some(End::Failed(_)));
        if others.iter().any(has_reason)
            || others.iter().all(Other::is_alive)
            || started.elapsed() > window
        {
            return Ok(others);
        }
        thread::sleep(question.interval / 4);
    }
}

/// Those who failed with a reason, else those who are silent, else those who hang.
fn words(others: &[Other], roll: &Roll, question: &Question) -> Option<String> {
    let failed = others.iter().filter_map(|other| match &other.end {
        Some(End::Failed(reason)) => Some(format!("{} failed: {reason}", roll.name(other.rank))),
        _ => None,
    });
    let silent = others.iter().filter(|other| !other.is_alive()).map(|other| {
        let name = roll.name(other.rank);
        match other.last {
            Some(beat) => format!(
                "{name} gives no sign of life (killed, stopped, or its machine is gone); its last \
                 came in step {}",
                beat.step
            ),
            None => format!("{name} never gave a sign of life"),
        }
    });
    let behind = others.iter().filter_map(|other| {
        let beat = other.last.filter(|_| other.end.is_none())?;
        let hangs =
            beat.begun < question.begun && Duration::from_millis(beat.idle_ms) > question.idle;
        let name = roll.name(other.rank);
        hangs.then(|| {
            format!(
                "{name} is alive, but has done nothing in step {} for {:.0} s",
                beat.step,
                beat.idle_ms as f64 / 1000.0
            )
        })
    });
    let finished = others
        .iter()
        .filter(|other| other.end == Some(End::Finished))
        .map(|other| format!("{} has finished already", roll.name(other.rank)));
    let sorts: [Vec<String>; 4] = [
        failed.collect(),
        silent.collect(),
        behind.collect(),
        finished.collect(),
    ];
    let worst = sorts.into_iter().find(|sort| !sort.is_empty())?;
    Some(worst.join("; "))
}
