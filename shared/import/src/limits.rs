//! The most that a file is believed.
//!
//! The largest published model (Demucs v1 with 100 channels) has 649 M values in 52 tensors; bags and
//! hybrid models have up to 600 tensors each.

/// Values, lists, names and tensors in one file; the largest published one makes about 20,000.
pub const MAX_NODES: usize = 1_000_000;
/// Bytes of a pickle, DiffQ's compressed weights included.
pub const MAX_PICKLE_BYTES: usize = 1 << 29;
/// Bytes of a decompressed DiffQ state: 16 bits for each of 649 M weights.
pub const MAX_INFLATED_BYTES: usize = 3 << 29;
/// Entries of a zip file.
pub const MAX_ENTRIES: usize = 100_000;
/// Axes of a tensor.
pub const MAX_AXES: usize = 8;
