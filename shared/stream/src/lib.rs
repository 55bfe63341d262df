//! Streaming audio for stem separation, without torch.
//!
//! The data's way, one direction:
//!
//! ```text
//! host block or file ─ [`Planar`] ─ chunks ─ [`StemModel`] ─ overlap-add ─ stems
//! ```
//!
//! - [`engine`]: the library that brings torch and the models, opened at run time.
//! - [`files`]: audio files, read and written a block at a time.
//! - [`planar`]: audio as one `Vec<f32>` per channel.
//! - [`stem_model`]: what a separator promises ([`ModelSpec`], [`StemModel`]).

pub mod chunk_plan;
pub mod engine;
pub mod files;
pub mod planar;
pub mod stem_model;

pub use chunk_plan::ChunkPlan;
pub use files::{Clip, FileError, FileReader, read_clip};
pub use planar::Planar;
pub use stem_model::{ModelSpec, SeparateError, SpecError, StemModel};
