//! libtorch's own engine for training on several processes, for tch's tensors.
//!
//! ```text
//! Store (keys and values over TCP) ─ Group (all-reduce, broadcast: Gloo, NCCL) ─ Reducer (DDP)
//!        └──────────── foreign.rs ─ shim/c10d.cpp ─ libtorch's c10d ────────────┘
//! ```
//!
//! All of it is PyTorch's C++ code, behind a C interface of one file. What a rank is, which ones
//! are lost and what to tell the user is the trainer's business, not this crate's.

mod foreign;

pub use foreign::{Backend, Group, Reducer, Store, exit_at_once};

/// What libtorch says went wrong. Its words name addresses, not ranks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct Error {
    /// What was tried.
    what: String,
    /// The first line of the exception's message.
    reason: String,
}

#[cfg(test)]
mod tests;
