//! From bins to bands and back: the layers that every band has for itself.

use tch::{Device, Kind, Tensor};

use super::BandSplitConfig;
use crate::parameters::Scope;

/// Amplitudes below this share of the music's level count as silence.
const FLOOR: f64 = 1e-4;

/// Neighbouring bands of one width; one batched product serves all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) bands: usize,
    /// Real and imaginary parts of all bins and channels of one band.
    pub(super) values: usize,
}

/// The groups of a config, from the lowest.
pub(super) fn groups(config: &BandSplitConfig) -> Vec<Group> {
    config
        .band_bins
        .chunk_by(|a, b| a == b)
        .map(|bins| Group {
            bands: bins.len(),
            values: bins[0] * config.audio_channels * 2,
        })
        .collect()
}

/// A linear layer for each band of a group.
#[derive(Debug)]
struct GroupLinear {
    weight: Tensor, // [bands, inputs, outputs]
    bias: Tensor,   // [bands, 1, outputs]
    bands: i64,
}

impl GroupLinear {
    fn new(scope: &Scope<'_>, index: usize, group: Group) -> Self {
        let scope = scope.at(index);
        Self {
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
            bands: group.bands as i64,
        }
    }

    /// `[bands, rows, inputs]` → `[bands, rows, outputs]`.
    fn forward(&self, x: &Tensor) -> Tensor {
        self.bias.baddbmm(x, &self.weight, 1, 1)
    }
}

fn group_linears(scope: &Scope<'_>, config: &BandSplitConfig) -> Vec<GroupLinear> {
    let groups = groups(config).into_iter().enumerate();
    groups
        .map(|(index, group)| GroupLinear::new(scope, index, group))
        .collect()
}

/// Spectra into features per band: shape by a linear layer, loudness by its logarithm.
#[derive(Debug)]
pub(super) struct Split {
    linears: Vec<GroupLinear>,
    level: Tensor, // [bands, 1, features]
    /// Values of each group.
    widths: Vec<i64>,
    /// Mean over each band: `[values, bands]`.
    means: Tensor,
    /// The band of each value: `[values]`.
    bands: Tensor,
}

impl Split {
    pub(super) fn new(root: &Scope<'_>, config: &BandSplitConfig, device: Device) -> Self {
        let scope = root.at("split");
        let values = groups(config)
            .into_iter()
            .flat_map(|group| std::iter::repeat_n(group.values, group.bands));
        let bands: Vec<i64> = values
            .clone()
            .zip(0i64..)
            .flat_map(|(values, band)| std::iter::repeat_n(band, values))
            .collect();
        let bands = Tensor::from_slice(&bands);
        let shares: Vec<f32> = values.map(|values| 1.0 / values as f32).collect();
        let means =
            bands.one_hot(shares.len() as i64).to_kind(Kind::Float) * Tensor::from_slice(&shares);
        Self {
            linears: group_linears(&scope, config),
            level: scope.tensor("level"),
            widths: groups(config)
                .iter()
                .map(|group| (group.bands * group.values) as i64)
                .collect(),
            means: means.to_device(device),
            bands: bands.to_device(device),
        }
    }

    /// `[rows, values]` → `[rows, bands, features]`.
    pub(super) fn forward(&self, spectra: &Tensor) -> Tensor {
        let rows = spectra.size()[0];
        let power = spectra.square().matmul(&self.means); // [rows, bands]
        let level = (power + FLOOR * FLOOR).sqrt();
        let shapes = spectra / level.index_select(1, &self.bands);
        let features: Vec<Tensor> = shapes
            .split_with_sizes(&self.widths[..], 1)
            .iter()
            .zip(&self.linears)
            .map(|(group, linear)| {
                let bands = group.reshape([rows, linear.bands, -1]).transpose(0, 1);
                linear.forward(&bands) // [bands, rows, features]
            })
            .collect();
        let loudness = level.log().tr().unsqueeze(2); // [bands, rows, 1]
        (Tensor::cat(&features, 0) + loudness * &self.level).transpose(0, 1)
    }
}

/// Features per band into masks.
#[derive(Debug)]
pub(super) struct Masks {
    norm: Norm,
    linears: Vec<GroupLinear>,
}

impl Masks {
    pub(super) fn new(root: &Scope<'_>, config: &BandSplitConfig) -> Self {
        let scope = root.at("mask");
        Self {
            norm: Norm::new(&scope),
            linears: group_linears(&scope, config),
        }
    }

    /// `[rows, bands, features]` → `[rows, values * stems]`, bin after bin.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let bands = self.norm.forward(x).transpose(0, 1); // [bands, rows, features]
        let mut from = 0;
        let masks: Vec<Tensor> = self
            .linears
            .iter()
            .map(|linear| {
                let group = bands.narrow(0, from, linear.bands);
                from += linear.bands;
                linear.forward(&group).transpose(0, 1).flatten(1, 2) // [rows, values * stems]
            })
            .collect();
        Tensor::cat(&masks, 1)
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
