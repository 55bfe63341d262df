//! Which measures a training minimises.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::StftLossConfig;

/// Weights of the measures; 0 leaves one out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Mean absolute error of samples: the loss of Demucs.
    pub l1: f64,
    /// Mean squared error of samples.
    pub l2: f64,
    /// Scale-invariant signal-to-distortion ratio in dB, negated.
    pub si_sdr: f64,
    /// Distance of magnitude spectra at several resolutions.
    pub multi_resolution_stft: Option<StftLossConfig>,
    /// Weights say the share of the gradient that each measure has, whatever its size: see
    /// [`super::Balancer`]. Otherwise the loss is the weighted sum.
    pub balance: bool,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            l1: 1.0,
            l2: 0.0,
            si_sdr: 0.0,
            multi_resolution_stft: None,
            balance: false,
        }
    }
}

impl LossConfig {
    /// # Errors
    /// Weights below 0, or none above it; windows that are no power of two.
    pub fn validate(&self) -> Result<()> {
        let stft = self.multi_resolution_stft.as_ref();
        let weights = [
            self.l1,
            self.l2,
            self.si_sdr,
            stft.map_or(0.0, |s| s.weight),
        ];
        ensure!(
            weights.iter().all(|w| w.is_finite() && *w >= 0.0),
            "weights of [loss] must be 0 or more, got {weights:?}"
        );
        ensure!(
            weights.iter().any(|w| *w > 0.0),
            "every weight of [loss] is 0: nothing would be learned"
        );
        if let Some(stft) = stft {
            ensure!(
                !stft.windows.is_empty()
                    && stft.windows.iter().all(|w| w.is_power_of_two() && *w >= 16),
                "loss.multi_resolution_stft.windows must be powers of two from 16 on, got {:?}",
                stft.windows
            );
        }
        Ok(())
    }
}
