//! Steps of a training on noise: the trainer's own, without songs.

use anyhow::Result;
use bunri_model::Checkpoint;
use bunri_model::network::Signature;
use bunri_stream::Planar;
use tch::{Device, Kind, Tensor};

use super::measure::Noise;
use crate::distributed::Cluster;
use crate::losses::LossConfig;
use crate::train::batches::Batch;
use crate::train::generator::{Generator, Part};
use crate::train::{AdamConfig, ComputeConfig};

/// The reference package's default.
const LEARNING_RATE: f64 = 3e-4;

/// A network in training, with noise for stems.
#[derive(Debug)]
pub(super) struct Steps {
    generator: Generator,
    cluster: Cluster,
    device: Device,
    noise: Noise,
    block: Planar,
    /// Of the true stems: batch, stems, channels, frames.
    pub(super) shape: [i64; 4],
}

impl Steps {
    /// For the checkpoint's network. Sets what `compute` sets for the whole process.
    ///
    /// # Errors
    /// A file that is no checkpoint, a precision that the device is slow in, a network that cannot
    /// compute layers again.
    pub(super) fn new(
        checkpoint: &[u8],
        device: Device,
        batch: usize,
        compute: &ComputeConfig,
    ) -> Result<Self> {
        compute.apply(device)?;
        let network = Checkpoint::from_bytes(checkpoint, device)?.network;
        compute.validate(&network.config())?;
        let (
            Signature {
                stems, channels, ..
            },
            window,
        ) = (network.signature(), network.window());
        let (stems, frames) = (stems.len(), window.chunk_frames);
        let cluster = Cluster::alone();
        let (adam, loss) = (AdamConfig::default(), LossConfig::default());
        Ok(Self {
            generator: Generator::of(network, adam, &loss, compute, &cluster)?,
            cluster,
            device,
            noise: Noise(7),
            block: Planar::zeros(batch * stems * channels, frames),
            shape: [batch, stems, channels, frames].map(|axis| axis as i64),
        })
    }

    /// One example, in seconds of audio.
    pub(super) fn segment_seconds(&self) -> f64 {
        let rate_hz = self.generator.network.signature().rate_hz;
        self.shape[3] as f64 / f64::from(rate_hz)
    }

    /// True stems for one step: one after another, of [`shape`](Self::shape).
    pub(super) fn samples(&mut self) -> Vec<f32> {
        self.noise.fill(&mut self.block);
        self.block.channels().flatten().copied().collect()
    }

    /// One step as a training takes it, with its watch over loss and gradient; returns the loss.
    pub(super) fn step(&mut self, samples: &[f32]) -> Result<f64> {
        let batch = self.batch(samples);
        let whole = Part {
            share: 1.0,
            is_last: true,
        };
        let none = |_: &Tensor, _: &Tensor| Ok(Vec::new());
        let _ = (self.generator).learn_from(&batch, whole, &self.cluster, none)?;
        let report = self.generator.report()?;
        self.generator.step(LEARNING_RATE, &report, 0.0);
        Ok(report.loss)
    }

    /// Floating-point operations of one forward pass.
    pub(super) fn operations(&self, samples: &[f32]) -> Result<u64> {
        let mixture = self.batch(samples).mixture;
        let counted = bunri_libtorch::count_operations(|| self.generator.network.forward(&mixture));
        Ok(counted?.1)
    }

    fn batch(&self, samples: &[f32]) -> Batch {
        let stems = Tensor::from_slice(samples).reshape(self.shape);
        let batch = Batch {
            mixture: stems.sum_dim_intlist(1, false, Kind::Float),
            usable: Tensor::ones(&self.shape[..2], (Kind::Float, Device::Cpu)),
            stems,
        };
        batch.to_device(self.device)
    }
}
