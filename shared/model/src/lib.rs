//! Separation models on libtorch, from checkpoint to [`StemModel`](bunri_stream::StemModel).
//!
//! ```text
//! checkpoint file ─ Checkpoint ──┐
//! TorchScript ─ TorchScript ─────┴ LoadedModel ─ Network ─ SharedWeights ─ Separator (one per stream)
//! ```
//!
//! - [`network`]: what all architectures have in common, and their list.
//! - [`demucs`]: Demucs v1 and v2.
//! - [`band_split`]: a band-split network, for live playing or with whole context.
//! - [`live_demucs`]: a causal Demucs, for live playing.
//! - [`demucs_v3`]: the time-domain Demucs of the v3 and v4 releases.
//! - [`hdemucs`]: Hybrid Demucs (v3).
//! - [`htdemucs`]: HTDemucs (v4).
//! - [`conv_tasnet`]: masks over a learned transform (Conv-TasNet).
//! - [`bag`]: several models, averaged stem by stem.
//! - [`built_in_model`]: the checkpoints that come inside the program.
//! - [`checkpoint`]: one file that rebuilds its own model.
//! - [`torch_script`]: the door for networks of others.
//! - [`recompute`]: layers that keep nothing for a backward pass.
//! - [`device`]: devices by name; [`hardware`]: what they are, and whether a model fits.
//! - [`import`]: models of the reference packages as networks of this crate.
//! - [`model_bytes`]: reading the file that a user names.
//! - [`parameters`]: names, shapes and initial values of weights.
//! - [`published`]: sizes of the reference packages, by name.
//! - [`run`]: what is left of a failure of libtorch, for people.
//! - [`scheduler`]: many live streams on few threads.
//! - [`separator`]: any network as a [`StemModel`](bunri_stream::StemModel).

pub mod bag;
pub mod band_split;
mod built_in;
mod causal;
pub mod checkpoint;
mod config_error;
pub mod conv_tasnet;
pub mod demucs;
pub mod demucs_v3;
pub mod device;
#[cfg(test)]
mod golden;
pub mod hardware;
pub mod hdemucs;
pub mod htdemucs;
mod hybrid;
pub mod import;
pub mod live_demucs;
pub mod model_bytes;
mod model_file;
pub mod network;
pub mod parameters;
mod precision;
pub mod published;
pub mod recompute;
pub mod run;
pub mod scheduler;
pub mod separator;
mod shared_weights;
pub mod torch_script;
mod transposed_convolution;
mod wide_lstm;

pub use bag::BagConfig;
pub use band_split::{BandSplitConfig, TimeContext};
pub use built_in::built_in_model;
pub use checkpoint::{Checkpoint, CheckpointError, Provenance, Storage};
pub use config_error::ConfigError;
pub use conv_tasnet::ConvTasNetConfig;
pub use demucs::DemucsConfig;
pub use demucs_v3::DemucsV3Config;
pub use device::{DeviceChoice, DeviceError};
pub use hdemucs::HDemucsConfig;
pub use htdemucs::HTDemucsConfig;
pub use live_demucs::LiveDemucsConfig;
pub use model_file::{LoadedModel, ModelFileError};
pub use network::{CausalNetwork, Network, NetworkConfig, Trainable};
pub use parameters::Parameters;
pub use precision::Precision;
pub use scheduler::{ScheduledSeparator, Scheduler};
pub use separator::{Separator, StreamError};
pub use shared_weights::SharedWeights;
