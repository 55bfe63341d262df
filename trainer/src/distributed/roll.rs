//! What the ranks write about themselves into the store, and how the others read it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bunri_libtorch::Store;
use serde::{Deserialize, Serialize};

use super::deadline::Deadline;
use super::{Environment, Meeting};
use crate::folder_lock::host_name;

/// How often the store is asked again for what is not there yet.
const POLL: Duration = Duration::from_millis(20);

/// All ranks of one life of a job, as seen by one of them.
#[derive(Debug, Clone)]
pub(super) struct Roll {
    pub(super) rank: usize,
    /// Who the ranks are, by number.
    members: Vec<Member>,
    /// Where the store is, for messages.
    meeting: Meeting,
    prefix: String,
}

/// How a rank introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    host: String,
    process: u32,
    world: usize,
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beat {
    /// Signs given so far.
    pub(super) count: u64,
    /// The step that the training is at.
    pub(super) step: u64,
    /// Collectives begun so far: whoever has begun fewer lets the others wait.
    pub(super) begun: u64,
    /// Milliseconds since the training last did anything that it tells.
    pub(super) idle_ms: u64,
}

/// A rank's last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    /// All done.
    Finished,
    /// It failed on its own, for this reason.
    Failed(String),
    /// It ended because others were lost.
    Followed,
}

impl Roll {
    /// Introduces this rank and waits for all others.
    ///
    /// # Errors
    /// The ranks that do not come before the deadline; two that claim one number; other numbers of
    /// ranks than this one expects.
    pub(super) fn call(store: &Store, place: &Environment, deadline: Deadline) -> Result<Self> {
        let prefix = format!("bunri/{}", place.attempt);
        let Environment { rank, world, .. } = *place;
        let itself = Member {
            host: host_name(),
            process: std::process::id(),
            world,
        };
        if store.add(&format!("{prefix}/claim/{rank}"), 1)? > 1 {
            bail!(
                "another process is rank {rank} of this job already: every process needs a RANK of \
                 its own"
            );
        }
        let key = |rank| format!("{prefix}/member/{rank}");
        store.set(&key(rank), &serde_json::to_string(&itself)?)?;
        let mut members: Vec<Option<Member>> = vec![None; world];
        loop {
            for (other, member) in members.iter_mut().enumerate().filter(|(_, m)| m.is_none()) {
                *member = read(store, &key(other))?;
            }
            let missing: Vec<usize> = (0..world).filter(|&rank| members[rank].is_none()).collect();
            if missing.is_empty() {
                break;
            }
            if deadline.is_over() {
                bail!(
                    "{} did not join within {deadline}; there are {}",
                    list_ranks(&missing),
                    list_present(&members),
                );
            }
            std::thread::sleep(POLL);
        }
        let members: Vec<Member> = members.into_iter().flatten().collect();
        for (other, member) in members.iter().enumerate() {
            if member.world != world {
                bail!(
                    "rank {other} on {} expects {} ranks, this one (rank {rank}) {world}",
                    member.host,
                    member.world
                );
            }
        }
        Ok(Self {
            rank,
            members,
            meeting: place.meeting.clone(),
            prefix,
        })
    }

    pub(super) fn world(&self) -> usize {
        self.members.len()
    }

    /// The other ranks, the next one first.
    pub(super) fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let (rank, world) = (self.rank, self.world());
        (1..world).map(move |offset| (rank + offset) % world)
    }

    /// A rank as users can find it: number, machine and process.
    pub(super) fn name(&self, rank: usize) -> String {
        let Member { host, process, .. } = &self.members[rank];
        format!("rank {rank} ({host}, process {process})")
    }

    /// Who hosts the store.
    pub(super) fn store_host(&self) -> String {
        let meeting = &self.meeting;
        match meeting.hosted_by_launcher {
            true => format!("the program that started the ranks, whose store is at {meeting},"),
            false => format!("{}, which hosts the store at {meeting},", self.name(0)),
        }
    }

    /// A name in the store for what one group or barrier of this life shares.
    pub(super) fn shared(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    pub(super) fn beat(&self, store: &Store, beat: &Beat) -> Result<()> {
        Ok(store.set(&self.key("beat", self.rank), &serde_json::to_string(beat)?)?)
    }

    pub(super) fn beat_of(&self, store: &Store, rank: usize) -> Result<Option<Beat>> {
        read(store, &self.key("beat", rank))
    }

    pub(super) fn end(&self, store: &Store, end: &End) -> Result<()> {
        Ok(store.set(&self.key("end", self.rank), &serde_json::to_string(end)?)?)
    }

    pub(super) fn end_of(&self, store: &Store, rank: usize) -> Result<Option<End>> {
        read(store, &self.key("end", rank))
    }

    /// Tells all ranks who is lost.
    pub(super) fn cry(&self, store: &Store, who: &str) -> Result<()> {
        Ok(store.set(&self.shared("lost"), who)?)
    }

    /// What some rank found out.
    pub(super) fn cried(&self, store: &Store) -> Result<Option<String>> {
        Ok(store.get(&self.shared("lost"))?)
    }

    fn key(&self, what: &str, rank: usize) -> String {
        self.shared(&format!("{what}/{rank}"))
    }
}

fn read<T: serde::de::DeserializeOwned>(store: &Store, key: &str) -> Result<Option<T>> {
    let Some(text) = store.get(key)? else {
        return Ok(None);
    };
    let value = serde_json::from_str(&text)
        .with_context(|| format!("{key} in the store: ranks of other versions of this program?"))?;
    Ok(Some(value))
}

fn list_ranks(ranks: &[usize]) -> String {
    let numbers: Vec<String> = ranks.iter().map(usize::to_string).collect();
    let plural = if ranks.len() == 1 { "" } else { "s" };
    format!("rank{plural} {}", numbers.join(", "))
}

fn list_present(members: &[Option<Member>]) -> String {
    let present = members.iter().enumerate().filter_map(|(rank, member)| {
        let host = &member.as_ref()?.host;
        Some(format!("rank {rank} on {host}"))
    });
    present.collect::<Vec<_>>().join(", ")
}
