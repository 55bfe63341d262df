//! Songs on disk and training examples made from them.
//!
//! ```text
//! songs (folders, containers) ─ cache (decoded once, 16 bit, on disk) ─ pool
//!                                        pool ─ sampler (seeded per example) ─ augment ─ batches
//! ```
//!
//! - [`songs`], [`stem_file`]: what lies where.
//! - [`cache`], [`track`]: stems decoded onto disk, and read from there a segment at a time.
//! - [`pool`], [`plan`]: the songs of a training, whole or partly labelled.
//! - [`sampler`], [`shard`], [`example`], [`augment`], [`repitch`]: examples by number.
//! - [`check`]: what is wrong with songs.

pub mod augment;
pub mod cache;
pub mod check;
pub(crate) mod damage;
mod decode;
pub mod example;
#[cfg(test)]
mod fixtures;
mod mapped;
pub mod plan;
pub mod pool;
pub mod repitch;
pub mod sampler;
pub mod shard;
pub mod songs;
pub mod stem_file;
mod stem_name;
pub mod track;
