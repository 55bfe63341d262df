//! Weights that several streams, on several threads, read at once.
#![allow(unsafe_code)] // One assertion about libtorch's threads, below.

use crate::network::Network;

/// A network that can no longer be trained, only read; put it behind an `Arc`.
#[derive(Debug)]
pub struct SharedWeights(Box<dyn Network>);

// SAFETY: a `Network` is a tree of tensors and plain data. `forward` and `step` take `&self`, read
// the tensors and write none; libtorch documents concurrent reads of one tensor as safe. The only
// way to write through a shared tensor is `Network::parameters`, and in this workspace only
// training writes, which owns its network itself.
unsafe impl Sync for SharedWeights {}

impl SharedWeights {
    /// Freezes a network for reading.
    #[must_use]
    pub fn new(network: Box<dyn Network>) -> Self {
        for tensor in network.parameters().values() {
            let _ = tensor.set_requires_grad(false);
        }
        Self(network)
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &dyn Network {
        &*self.0
    }
}
