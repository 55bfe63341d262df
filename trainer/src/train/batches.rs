//! Batches made on a thread of their own, a little ahead of the training.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::{Context, Result};
use bunri_stream::Planar;
use tch::{Device, Tensor};

use crate::data::example::Example;
use crate::data::sampler::Sampler;
use crate::data::shard::Shard;

/// What one step learns from.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The truth, `[batch, stems, channels, frames]`; silence where it is not known.
    pub(crate) stems: Tensor,
    /// What the model hears, `[batch, channels, frames]`: the sum of the stems and of whatever else
    /// sounds in the song.
    pub(crate) mixture: Tensor,
    /// 1 where a stem is known and 0 where nothing may be said about it, `[batch, stems]`.
    pub(crate) usable: Tensor,
}

impl Batch {
    /// The examples side by side, on the CPU.
    pub(super) fn of(examples: &[Example]) -> Self {
        let stems: Vec<Tensor> = examples.iter().map(|e| stack(&e.stems)).collect();
        let mixtures: Vec<Planar> = examples.iter().map(|e| e.mixture.clone()).collect();
        let usable = |e: &Example| {
            let flags: Vec<f32> = e.usable.iter().map(|&u| f32::from(u8::from(u))).collect();
            Tensor::from_slice(&flags)
        };
        Self {
            stems: Tensor::stack(&stems, 0),
            mixture: stack(&mixtures),
            usable: Tensor::stack(&examples.iter().map(usable).collect::<Vec<_>>(), 0),
        }
    }

    /// The batch in parts of equal size, which divides its own.
    pub(super) fn split(&self, parts: usize) -> Vec<Self> {
        let size = self.stems.size()[0] / parts as i64;
        let part = |tensor: &Tensor, i: usize| tensor.narrow(0, i as i64 * size, size);
        (0..parts)
            .map(|i| Self {
                stems: part(&self.stems, i),
                mixture: part(&self.mixture, i),
                usable: part(&self.usable, i),
            })
            .collect()
    }

    /// The same batch on a device.
    #[must_use]
    pub(crate) fn to_device(&self, device: Device) -> Self {
        Self {
            stems: self.stems.to_device(device),
            mixture: self.mixture.to_device(device),
            usable: self.usable.to_device(device),
        }
    }
}

/// Endless batches of one rank, from a given step on.
#[derive(Debug)]
pub(super) struct Batches {
    receiver: Receiver<Vec<Example>>,
}

impl Batches {
    /// Starts drawing this shard's examples of `step`, `step + 1`, ...
    pub(super) fn start(sampler: Arc<Sampler>, shard: Shard, step: u64) -> Result<Self> {
        const AHEAD: usize = 2;
        let (sender, receiver) = sync_channel(AHEAD);
        thread::Builder::new()
            .name("batches".into())
            .spawn(move || {
                for step in step.. {
                    let examples = shard.examples(step).map(|i| sampler.example(i)).collect();
                    if sender.send(examples).is_err() {
                        break; // The training is over.
                    }
                }
            })
            .context("starting the thread that draws batches")?;
        Ok(Self { receiver })
    }

    /// The next batch, on the CPU.
    pub(super) fn next(&self) -> Result<Batch> {
        let examples = self
            .receiver
            .recv()
            .context("the thread that draws batches has ended")?;
        Ok(Batch::of(&examples))
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
