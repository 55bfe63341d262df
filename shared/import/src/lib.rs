//! Reads model files as people download them: what the reference packages saved with `torch.save`,
//! and the safetensors files of their later releases.
//!
//! ```text
//! .th, .pt ─ archive ─ pickle ─┐
//!                              ├─ Document ─ Package ─ weights by name (DiffQ decoded)
//! .safetensors ────────────────┘
//! ```
//!
//! Nothing of a file is executed. A pickle is a program; here it runs on a machine that knows only
//! the instructions `torch.save` writes, and whose calls make tensors, dictionaries and fractions,
//! nothing else. A name outside of a short list is refused before anything is called. Every size is
//! held against the file's before memory is taken, so a file can ask for no more than about a
//! hundred times its own pickle, and for nothing beyond the limits in [`limits`].
//!
//! Crates that read such files were looked at first: those that are kept well keep unknown calls as
//! names without arguments, which loses the fractions (a model's segment) and bytes (DiffQ's states)
//! that these packages write.
//!
//! No libtorch is needed here, so that readers of foreign bytes can be fuzzed by themselves.
//!
//! - [`package`]: what a file says about itself, and its weights. Start here.
//! - [`document`]: plain data out of a file, without recursion and without copies.
//! - [`error`], [`limits`].

mod archive;
mod diffq;
pub mod document;
pub mod error;
pub mod limits;
pub mod package;
mod pickle;
mod safetensors_file;
mod tensor;

pub use document::{Document, Item};
pub use error::ImportError;
pub use package::{Array, Package};
