//! From bins to bands and back: the layers that every band has for itself.

use tch::{Device, Kind, Tensor};

use super::LiveBandSplitConfig;
use crate::parameters::Scope;

/// Amplitudes below this share of the music's level count as silence.
const FLOOR: f64 = 1e-4;

/// One linear layer per band.
#[derive(Debug)]
struct BandLinear {
    layers: Vec<(Tensor, Tensor)>,
}

impl BandLinear {
    fn new(scope: &Scope<'_>, bands: usize) -> Self {
        let layer = |band: usize| {
            let scope = scope.at(band);
            (scope.tensor("weight"), scope.tensor("bias"))
        };
        Self {
            layers: (0..bands).map(layer).collect(),
        }
    }
}

/// Spectra into features per band: shape by a linear layer, loudness by its logarithm.
#[derive(Debug)]
pub(super) struct Split {
    linear: BandLinear,
    level: Tensor, // [bands, features]
    /// Values per band.
    widths: Vec<i64>,
    /// Mean over each band: `[values, bands]`.
    means: Tensor,
    /// The band of each value: `[values]`.
    bands: Tensor,
}

impl Split {
    pub(super) fn new(root: &Scope<'_>, config: &LiveBandSplitConfig, device: Device) -> Self {
        let scope = root.at("split");
        let values = 2 * config.audio_channels;
        let widths: Vec<i64> = config
            .band_bins
            .iter()
            .map(|&bins| (bins * values) as i64)
            .collect();
        let bands: Vec<i64> = widths
            .iter()
            .zip(0i64..)
            .flat_map(|(&width, band)| std::iter::repeat_n(band, width as usize))
            .collect();
        let bands = Tensor::from_slice(&bands);
        let shares: Vec<f32> = widths.iter().map(|&width| 1.0 / width as f32).collect();
        let means =
            bands.one_hot(widths.len() as i64).to_kind(Kind::Float) * Tensor::from_slice(&shares);
        Self {
            linear: BandLinear::new(&scope, widths.len()),
            level: scope.tensor("level"),
            widths,
            means: means.to_device(device),
            bands: bands.to_device(device),
        }
    }

    /// `[batch, spectra, values]` → `[batch, spectra, bands, features]`.
    pub(super) fn forward(&self, spectra: &Tensor) -> Tensor {
        let power = spectra.square().matmul(&self.means); // [batch, spectra, bands]
        let level = (power + FLOOR * FLOOR).sqrt();
        let shapes = spectra / level.index_select(2, &self.bands);
        let features: Vec<Tensor> = shapes
            .split_with_sizes(&self.widths[..], 2)
            .iter()
            .zip(&self.linear.layers)
            .map(|(band, (weight, bias))| band.linear(weight, Some(bias)))
            .collect();
        let loudness = level.log().unsqueeze(3) * &self.level;
        Tensor::stack(&features, 2) + loudness
    }
}

/// Features per band into masks.
#[derive(Debug)]
pub(super) struct Masks {
    norm: Norm,
    linear: BandLinear,
}

impl Masks {
    pub(super) fn new(root: &Scope<'_>, config: &LiveBandSplitConfig) -> Self {
        let scope = root.at("mask");
        Self {
            norm: Norm::new(&scope),
            linear: BandLinear::new(&scope, config.band_bins.len()),
        }
    }

    /// `[batch, spectra, bands, features]` → `[batch, spectra, values * stems]`, band after band.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let masks: Vec<Tensor> = self
            .norm
            .forward(x)
            .unbind(2)
            .iter()
            .zip(&self.linear.layers)
            .map(|(band, (weight, bias))| band.linear(weight, Some(bias)))
            .collect();
        Tensor::cat(&masks, 2)
    }
}

/// Layer normalisation over the features of one band and moment: causal, for it looks at no other.
#[derive(Debug)]
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        let scope = scope.at("norm");
        Self {
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let features = self.weight.size();
        x.layer_norm(
            &features[..],
            Some(&self.weight),
            Some(&self.bias),
            1e-5,
            true,
        )
    }
}
