//! Training on several processes, on one machine or many, over libtorch's own engine.
//!
//! ```text
//! Environment (torchrun, Slurm) ─ Cluster::join ─┬─ Reducer (gradients, overlapped)
//!                                                ├─ sums, broadcasts, barriers
//!                                                └─ Pulse ─ Store ─ lost: who is gone, and why
//! ```
//!
//! [`Cluster::alone`] is one process without any of this, so that there is one training loop.
//!
//! Collectives fail with addresses; users think in ranks. So every rank writes a sign of life into
//! the store every second, with the step that it is at, and its reason when it ends; whoever fails
//! or misses somebody reads those of the others, and says which rank was lost, where and why.

mod cluster;
mod config;
mod deadline;
mod environment;
mod lost;
mod pulse;
mod reducer;
mod rendezvous;
mod roll;
mod slurm;

pub use cluster::Cluster;
pub use config::{BackendChoice, DistributedConfig};
pub use environment::{Environment, Meeting};
pub use reducer::Reducer;

#[cfg(test)]
mod tests;
