//! All ranks from their start to their end, once.

use std::ffi::OsString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bunri_libtorch::Store;
use rustix::process::Signal;

use super::ranks::Rank;
use super::ranks_in_words;
use crate::output::eprint_line;

/// How often the ranks are looked after.
const POLL: Duration = Duration::from_millis(20);
const STORE_TIMEOUT: Duration = Duration::from_secs(60);

/// Ranks that run.
#[derive(Debug)]
pub(super) struct Attempt {
    ranks: Vec<Rank>,
    /// Where they meet. Hosted here: a rank that dies takes no store with it, and the port cannot
    /// be taken by another program in between.
    _store: Store,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All ranks did their work.
    Finished,
    /// The user or the machine ended it; how a rank failed to end well, if one did.
    Interrupted(Option<String>),
    /// Ranks failed on their own.
    Failed {
        /// How many, before the others were ended.
        ranks: usize,
        /// Which ones, and how.
        how: String,
    },
}

impl Attempt {
    /// Starts `nproc` ranks with the variables that torchrun sets.
    pub(super) fn start(command: &[OsString], nproc: usize, restart: usize) -> Result<Self> {
        let store = Store::host(0, STORE_TIMEOUT).context("hosting the ranks' store")?;
        let mut ranks = Vec::with_capacity(nproc);
        for rank in 0..nproc {
            let mut variables = vec![
                ("RANK", rank.to_string()),
                ("LOCAL_RANK", rank.to_string()),
                ("WORLD_SIZE", nproc.to_string()),
                ("LOCAL_WORLD_SIZE", nproc.to_string()),
                ("MASTER_ADDR", "127.0.0.1".to_owned()),
                ("MASTER_PORT", store.port().to_string()),
                ("TORCHELASTIC_USE_AGENT_STORE", "True".to_owned()),
                ("TORCHELASTIC_RESTART_COUNT", restart.to_string()),
            ];
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let defaults = [
                // This machine's name may lead to an address that its firewall closes.
                ("GLOO_SOCKET_IFNAME", "lo".to_owned()),
                // Each rank would take all cores otherwise.
                ("OMP_NUM_THREADS", (cores / nproc).max(1).to_string()),
            ];
            let unset = |(name, _): &(&str, String)| std::env::var_os(name).is_none();
            variables.extend(defaults.into_iter().filter(unset));
            ranks.push(Rank::start(rank, command, &variables)?);
        }
        let processes: Vec<String> = ranks
            .iter()
            .map(|rank| rank.process().to_string())
            .collect();
        eprint_line!(
            "launch: {}, processes {}",
            ranks_in_words(nproc),
            processes.join(", ")
        );
        Ok(Self {
            ranks,
            _store: store,
        })
    }

    /// Waits for the end of all ranks. If one fails, or a signal comes, the others are asked to end
    /// (SIGTERM) and killed after `grace`; a second signal kills at once.
    pub(super) fn end(mut self, signals: &AtomicUsize, grace: Duration) -> Result<Outcome> {
        let signals_before = signals.load(Ordering::Relaxed);
        let mut reported = vec![false; self.ranks.len()];
        let mut failed: Vec<String> = Vec::new();
        // When the ranks were asked to end.
        let mut asked: Option<Instant> = None;
        let mut is_interrupted = false;
        let mut last_words: Option<String> = None;
        loop {
            let mut running = 0;
            let was_asked = asked.is_some();
            for (rank, reported) in self.ranks.iter_mut().zip(&mut reported) {
                let Some(status) = rank.poll()? else {
                    running += 1;
                    continue;
                };
                if *reported || status.success() {
                    continue;
                }
                *reported = true;
                let words = rank.words(status);
                eprint_line!("launch: {words}");
                if was_asked {
                    last_words.get_or_insert(words);
                } else {
                    failed.push(words);
                }
            }
            if running == 0 {
                break;
            }
            let signalled = signals.load(Ordering::Relaxed) - signals_before;
            if signalled > 0 && !is_interrupted {
                is_interrupted = true;
                eprint_line!(
                    "launch: asked to end: passing that on to {}",
                    ranks_in_words(running)
                );
            }
            match asked {
                None if is_interrupted || !failed.is_empty() => {
                    if !is_interrupted {
                        eprint_line!("launch: ending the other {}", ranks_in_words(running));
                    }
                    self.signal_all(Signal::TERM);
                    asked = Some(Instant::now());
                }
                Some(since) if signalled > 1 || (!failed.is_empty() && since.elapsed() > grace) => {
                    self.signal_all(Signal::KILL);
                }
                _ => {}
            }
            thread::sleep(POLL);
        }
        Ok(match (is_interrupted, failed.is_empty()) {
            (true, _) => Outcome::Interrupted(failed.into_iter().next().or(last_words)),
            (false, true) => Outcome::Finished,
            (false, false) => Outcome::Failed {
                ranks: failed.len(),
                how: failed.join("; "),
            },
        })
    }

    fn signal_all(&self, signal: Signal) {
        for rank in &self.ranks {
            rank.signal(signal);
        }
    }
}
