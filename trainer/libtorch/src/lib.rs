//! Parts of libtorch for trainings, which tch leaves out, for tch's tensors.
//!
//! ```text
//! c10d        Store (keys and values over TCP) ─ Group (all-reduce, broadcast) ─ Reducer (DDP)
//! optimiser   fused AdamW, running averages, the length of gradients, a seeded backward pass
//! arithmetic  autocast on any device, TF32, freed memory that is kept
//! recompute   segments of a network that keep nothing for the backward pass
//! counting    floating-point operations by shapes, peak memory of a GPU
//! ```
//!
//! Every module of `foreign` has its C++ file in `shim`. What a rank is, which ones are lost, when a
//! step is skipped and what to tell the user is the trainer's business, not this crate's.

mod foreign;

pub use foreign::arithmetic::{Reduced, autocast, keep_memory, set_tf32};
pub use foreign::c10d::{Backend, Group, Reducer, Store};
pub use foreign::counting::{count_operations, peak_bytes};
pub use foreign::failure::exit_at_once;
pub use foreign::optimiser::{
    AdamW, Moved, backward, forget_gradients, gradient_length, move_averages,
};
pub use foreign::recompute::{Segment, recompute};

/// What libtorch says went wrong. Its words name addresses, not ranks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct Error {
    /// What was tried.
    what: String,
    /// The first line of the exception's message.
    reason: String,
}
