//! Weights that several streams, on several threads, read at once.
#![allow(unsafe_code)] // One assertion about libtorch's threads, below.

use crate::demucs::Demucs;

/// A model that can no longer be trained, only read; put it behind an `Arc`.
#[derive(Debug)]
pub struct SharedWeights(Demucs);

// SAFETY: a `Demucs` is a tree of tensors and plain data. `forward` takes `&self`, reads the
// tensors and writes none; libtorch documents concurrent reads of one tensor as safe. The only
// way to write through a shared tensor is `Demucs::parameters`, which this type does not hand out
// (`model` does, but in this workspace only training writes, and it owns its `Demucs` itself).
unsafe impl Sync for SharedWeights {}

impl SharedWeights {
    /// Freezes a model for reading.
    #[must_use]
    pub fn new(model: Demucs) -> Self {
        for tensor in model.parameters().values() {
            let _ = tensor.set_requires_grad(false);
        }
        Self(model)
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Demucs {
        &self.0
    }
}
