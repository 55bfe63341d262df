//! `[compute]` of a training's config: how exact, and how libtorch's GPU kernels are chosen.

use anyhow::{Result, ensure};
use bunri_libtorch::{Reduced, Segment, autocast, keep_memory, recompute, set_tf32};
use bunri_model::recompute::recomputing;
use bunri_model::{Network, NetworkConfig, Precision};
use serde::{Deserialize, Serialize};
use tch::{Cuda, Device, Kind, Tensor};

/// How a step is computed. Weights, optimiser, losses and discriminators are in 32 bits throughout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComputeConfig {
    /// Of the network's convolutions and products: `f32`, `bf16` or, with a scaled loss, `f16`
    /// (GPUs only). torch.amp's own rules say what stays in 32 bits.
    pub precision: Precision,
    /// 32-bit products and convolutions on GPUs from Ampere on (A100, H100) round what they multiply
    /// to 11 significant bits.
    pub tf32: bool,
    /// cuDNN tries its kernels for each shape and keeps the fastest: a training has few shapes.
    pub cudnn_benchmark: bool,
    /// Computes encoder and decoder layers again in the backward pass instead of keeping what is
    /// inside of them: less memory, about a third more time. Demucs v1 and v2 only.
    pub recompute: bool,
}

impl Default for ComputeConfig {
    fn default() -> Self {
        Self {
            precision: Precision::F32,
            tf32: true,
            cudnn_benchmark: true,
            recompute: false,
        }
    }
}

impl ComputeConfig {
    /// # Errors
    /// What the network cannot do.
    pub(crate) fn validate(&self, model: &NetworkConfig) -> Result<()> {
        ensure!(
            !self.recompute || matches!(model, NetworkConfig::Demucs(_)),
            "compute.recompute: only the architecture \"demucs\" has layers that can be computed \
             again; optimiser.accumulate saves memory with any"
        );
        Ok(())
    }

    /// The output of `network`, in 32 bits: `[batch, channels, frames]` → `[batch, stems, channels,
    /// output frames]`.
    pub(super) fn forward(&self, network: &dyn Network, mixture: &Tensor) -> Tensor {
        let forward = || {
            if self.recompute {
                recomputing(recompute_segment, || network.forward(mixture))
            } else {
                network.forward(mixture)
            }
        };
        let reduced = match self.precision {
            Precision::F32 => return forward(),
            Precision::Bf16 => Reduced::Bf16,
            Precision::F16 => Reduced::F16,
        };
        autocast(mixture, reduced, forward).to_kind(Kind::Float)
    }

    /// Sets what libtorch keeps for the whole process, for a training on `device`.
    ///
    /// # Errors
    /// A precision that the device is slow in.
    pub(crate) fn apply(&self, device: Device) -> Result<()> {
        ensure!(
            device != Device::Cpu || self.precision != Precision::F16,
            "compute.precision = \"f16\": CPUs are slow in it, use bf16 or f32"
        );
        if device == Device::Cpu {
            keep_memory();
        } else {
            set_tf32(self.tf32)?;
            Cuda::cudnn_set_benchmark(self.cudnn_benchmark);
        }
        Ok(())
    }
}

/// Panics with libtorch's reason, as tch's own functions do.
fn recompute_segment(input: &Tensor, segment: Segment) -> Tensor {
    recompute(input, segment).unwrap_or_else(|error| panic!("{error}"))
}
