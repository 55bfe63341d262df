//! Songs on disk and training examples made from them.
//!
//! ```text
//! songs (folders) ─ pool (decoded once, 16 bit) ─ sampler (seeded per example) ─ batches
//! ```

pub mod augment;
pub mod example;
pub mod pool;
pub mod repitch;
pub mod sampler;
pub mod shard;
pub mod songs;
