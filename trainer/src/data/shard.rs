//! Which examples of each step belong to which rank.

use std::ops::Range;

use anyhow::{Result, ensure};

/// One rank's part of every batch.
///
/// The examples of a step are numbered whatever the number of ranks, and dealt out in one piece
/// per rank: all ranks together draw the same examples as a single process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    rank: u64,
    local: u64,
    global: u64,
}

impl Shard {
    /// The part of `rank` (from 0) of `world` ranks in a batch of `batch` examples in all.
    ///
    /// # Errors
    /// A batch that cannot be dealt out evenly: ranks with fewer examples would weigh more.
    pub fn new(batch: usize, rank: usize, world: usize) -> Result<Self> {
        ensure!(rank < world, "rank {rank} of {world} does not exist");
        ensure!(
            batch > 0 && batch.is_multiple_of(world),
            "a batch of {batch} examples cannot be dealt out evenly to {world} ranks: set \
             optimiser.batch to a multiple of {world}, e.g. {}",
            batch.next_multiple_of(world).max(world)
        );
        Ok(Self {
            rank: rank as u64,
            local: (batch / world) as u64,
            global: batch as u64,
        })
    }

    /// Numbers of this rank's examples of a step.
    #[must_use]
    pub fn examples(self, step: u64) -> Range<u64> {
        let first = step * self.global + self.rank * self.local;
        first..first + self.local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against examples that are drawn twice, or by nobody, when the ranks change.
    #[test]
    fn any_number_of_ranks_draws_the_same_examples() {
        for world in [1, 2, 3, 6] {
            for step in [0, 1, 7] {
                let drawn: Vec<u64> = (0..world)
                    .flat_map(|rank| Shard::new(6, rank, world).unwrap().examples(step))
                    .collect();
                assert_eq!(drawn, (step * 6..step * 6 + 6).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_uneven_deal_is_refused_with_a_way_out() {
        let message = Shard::new(6, 0, 4).unwrap_err().to_string();
        assert!(message.contains("e.g. 8"), "{message}");
        assert!(Shard::new(6, 2, 2).is_err(), "ranks count from 0");
    }
}
