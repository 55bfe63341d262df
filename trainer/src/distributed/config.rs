//! `[distributed]` of a training's config.

use std::time::Duration;

use anyhow::{Result, ensure};
use bunri_libtorch::Backend;
use serde::{Deserialize, Serialize};
use tch::Device;

/// How the ranks talk, and how long they wait for each other. Without effect on one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistributedConfig {
    /// What carries tensors between GPUs.
    pub backend: BackendChoice,
    /// Seconds without any progress after which a rank counts as lost, and the job ends.
    pub timeout_s: f64,
    /// Seconds that the first ranks wait for the last ones at the start.
    pub join_timeout_s: f64,
    /// Gradients are averaged in pieces of so many MB, while the backward pass still runs.
    pub bucket_mb: f64,
}

/// A way for tensors between GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendChoice {
    /// NCCL on GPUs, Gloo on CPUs.
    Auto,
    /// Through the CPU: on GPUs for tests, and where several ranks share one.
    Gloo,
    /// From GPU to GPU; one rank per GPU.
    Nccl,
}

impl Default for DistributedConfig {
    fn default() -> Self {
        Self {
            backend: BackendChoice::Auto,
            timeout_s: 300.0,
            join_timeout_s: 600.0,
            bucket_mb: 25.0,
        }
    }
}

impl DistributedConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// Values that cannot work, by name.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("timeout_s", self.timeout_s),
            ("join_timeout_s", self.join_timeout_s),
            ("bucket_mb", self.bucket_mb),
        ] {
            // A month: more is a slip, and would not fit into a duration some day.
            ensure!(
                value > 0.0 && value < 2.6e6,
                "distributed.{name} is {value}: must be above 0, and below 2600000"
            );
        }
        Ok(())
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout_s)
    }

    pub(super) fn join_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.join_timeout_s)
    }

    pub(super) fn bucket_bytes(&self) -> usize {
        (self.bucket_mb * 1024.0 * 1024.0).ceil() as usize
    }

    pub(super) fn backend(&self, device: Device) -> Backend {
        match (self.backend, device) {
            (BackendChoice::Nccl, _) | (BackendChoice::Auto, Device::Cuda(_)) => Backend::Nccl,
            _ => Backend::Gloo,
        }
    }
}
