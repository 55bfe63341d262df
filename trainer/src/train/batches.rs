//! Batches made on a thread of their own, a little ahead of the training.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::{Context, Result};
use bunri_stream::Planar;
use tch::Tensor;

use crate::data::sampler::Sampler;

/// Endless batches of stems, from a given step on.
#[derive(Debug)]
pub(super) struct Batches {
    receiver: Receiver<Vec<Vec<Planar>>>,
}

impl Batches {
    /// Starts drawing the batches of `step`, `step + 1`, ...
    pub(super) fn start(sampler: Arc<Sampler>, batch: usize, step: u64) -> Result<Self> {
        const AHEAD: usize = 2;
        let (sender, receiver) = sync_channel(AHEAD);
        thread::Builder::new()
            .name("batches".into())
            .spawn(move || {
                for step in step.. {
                    let first = step * batch as u64;
                    let examples = (first..first + batch as u64)
                        .map(|i| sampler.example(i))
                        .collect();
                    if sender.send(examples).is_err() {
                        break; // The training is over.
                    }
                }
            })
            .context("starting the thread that draws batches")?;
        Ok(Self { receiver })
    }

    /// The next batch: `[batch, stems, channels, frames]`.
    pub(super) fn next(&self) -> Result<Tensor> {
        let examples = self
            .receiver
            .recv()
            .context("the thread that draws batches has ended")?;
        let stacked: Vec<Tensor> = examples.iter().map(|stems| stack(stems)).collect();
        Ok(Tensor::stack(&stacked, 0))
    }
}

/// Blocks of one shape as `[blocks, channels, frames]`.
pub(super) fn stack(blocks: &[Planar]) -> Tensor {
    let block = |block: &Planar| {
        let channels: Vec<Tensor> = block.channels().map(Tensor::from_slice).collect();
        Tensor::stack(&channels, 0)
    };
    Tensor::stack(&blocks.iter().map(block).collect::<Vec<_>>(), 0)
}
