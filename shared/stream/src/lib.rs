//! Streaming audio for stem separation, without torch.
//!
//! The data's way, one direction:
//!
//! ```text
//! host block or file ─ Planar ─ rate? ─ chunks ─ StemModel ─ overlap-add ─ rate? ─ consistency ─ stems
//!                      │         └───────── StreamingSeparator ────────┘                     │
//!                      └───────────────────── HostSeparator ────────────────────────────────┘
//! ```
//!
//! - [`mode`]: what users choose between; [`chunk_plan`]: from that to hop, cross-fade and contexts.
//! - [`chunker`], [`overlap_add`]: from blocks to chunks, from chunks to streams.
//! - [`streaming`]: the two around a model, at the model's rate.
//! - [`resample`]: other rates, every frame at its exact time.
//! - [`consistency`]: stems that add up to their mixture.
//! - [`host_separator`]: all of it for a plugin; [`offline_separator`]: the same for a file.
//! - [`conformance`]: what every implementation of [`StemModel`] is tested for.
//! - [`engine`]: the library that brings torch and the models, opened at run time.
//! - [`files`]: audio files, read and written a block at a time.
//! - [`input_guard`]: NaN and absurd samples kept away from models.
//! - [`planar`]: audio as one `Vec<f32>` per channel.
//! - [`stem_model`]: what a separator promises ([`ModelSpec`], [`StemModel`]).

pub mod chunk_plan;
pub mod chunker;
pub mod conformance;
pub mod consistency;
pub mod engine;
pub mod files;
mod frame_queue;
pub mod host_separator;
pub mod input_guard;
pub mod mode;
pub mod offline_separator;
pub mod overlap_add;
pub mod planar;
pub mod resample;
pub mod stem_model;
pub mod streaming;

pub use chunk_plan::ChunkPlan;
pub use chunker::Chunker;
pub use engine::device::DeviceInfo;
pub use files::{Clip, Encoding, FileError, FileReader, FileWriter, read_clip};
pub use host_separator::{HostError, HostOptions, HostSeparator};
pub use mode::{BuiltIn, DEFAULT_OVERLAP, Mode, ModeError};
pub use offline_separator::OfflineSeparator;
pub use overlap_add::OverlapAdd;
pub use planar::Planar;
pub use resample::{RateConverter, RateError, resample_clip};
pub use stem_model::{ModelSpec, SeparateError, SpecError, StemModel};
pub use streaming::StreamingSeparator;
