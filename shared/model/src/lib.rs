//! Separation models on libtorch, from checkpoint to [`StemModel`](bunri_stream::StemModel).
//!
//! ```text
//! checkpoint file ─ Checkpoint ─ Demucs ─ SharedWeights ─ DemucsSeparator (one per stream)
//! ```
//!
//! - [`demucs`]: the network and its config.
//! - [`built_in_model`]: the default checkpoint, inside the program.
//! - [`checkpoint`]: one file that rebuilds its own model.
//! - [`device`]: devices by name.
//! - [`separator`]: a model as a [`StemModel`](bunri_stream::StemModel).

mod built_in;
pub mod checkpoint;
pub mod demucs;
pub mod device;
pub mod separator;
mod shared_weights;

pub use built_in::built_in_model;
pub use checkpoint::{Checkpoint, CheckpointError, Provenance, Storage};
pub use demucs::{ConfigError, Demucs, DemucsConfig};
pub use device::{DeviceChoice, DeviceError};
pub use separator::{DEFAULT_OVERLAP, DemucsSeparator, StreamError};
pub use shared_weights::SharedWeights;
