//! Weights that several streams, on several threads, read at once.
#![allow(unsafe_code)] // One assertion about libtorch's threads, below.

use crate::network::Network;

/// A network that can no longer be trained, only read; put it behind an `Arc`.
#[derive(Debug)]
pub struct SharedWeights(Box<dyn Network>);

// SAFETY: a `Network` is a tree of tensors and plain data. `forward` and `step` take `&self`, read
// the tensors and write none; libtorch documents concurrent reads of one tensor, and concurrent
// runs of one TorchScript module, as safe. The only way to write through a shared tensor is
// `Trainable::parameters`, which a `Network` does not have.
unsafe impl Sync for SharedWeights {}

impl SharedWeights {
    /// Freezes a network for reading.
    ///
    /// Its weights must not require gradients: those of a [`LoadedModel`](crate::LoadedModel) do not.
    #[must_use]
    pub fn new(network: Box<dyn Network>) -> Self {
        Self(network)
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &dyn Network {
        &*self.0
    }
}
