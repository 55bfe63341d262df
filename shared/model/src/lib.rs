//! Separation models on libtorch, from checkpoint to [`StemModel`](bunri_stream::StemModel).
//!
//! ```text
//! checkpoint file ─ Checkpoint ─ Demucs ─ SharedWeights ─ DemucsSeparator (one per stream)
//! ```
//!
//! - [`demucs`]: the network and its config.
//! - [`checkpoint`]: one file that rebuilds its own model.
//! - [`device`]: devices by name.
//! - [`separator`]: a model as a [`StemModel`](bunri_stream::StemModel).

pub mod checkpoint;
pub mod demucs;
pub mod device;
pub mod separator;
mod shared_weights;

pub use checkpoint::{Checkpoint, CheckpointError, Provenance, Storage};
pub use demucs::{ConfigError, Demucs, DemucsConfig};
pub use device::{DeviceChoice, DeviceError};
pub use separator::{DEFAULT_OVERLAP, DemucsSeparator, StreamError};
pub use shared_weights::SharedWeights;
