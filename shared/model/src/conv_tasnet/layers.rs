//! The parts of Conv-TasNet: normalisation, and the block that is repeated.

use tch::{Kind, Tensor};

use super::config::{ConvTasNetConfig, Norm};
use super::parameters::activation_index;
use crate::parameters::Scope;

/// Keeps divisions finite; the reference's.
const EPSILON: f64 = 1e-8;

/// Normalises, then gain and offset of each channel.
#[derive(Debug)]
pub(super) struct Normalisation {
    kind: Norm,
    /// Gain and offset, `[1, channels, 1]`; `None` of [`Norm::None`].
    affine: Option<(Tensor, Tensor)>,
}

impl Normalisation {
    pub(super) fn new(scope: &Scope<'_>, kind: Norm) -> Self {
        let affine = || (scope.tensor("gamma"), scope.tensor("beta"));
        Self {
            kind,
            affine: (kind != Norm::None).then(affine),
        }
    }

    /// `[batch, channels, positions]` → the same shape.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let axes: &[i64] = match self.kind {
            Norm::Global => &[1, 2],
            Norm::Channelwise | Norm::None => &[1],
        };
        let Some((gain, offset)) = &self.affine else {
            return x.shallow_clone();
        };
        let centred = x - x.mean_dim(axes, true, Kind::Float);
        let variance = centred.square().mean_dim(axes, true, Kind::Float);
        gain * centred / (variance + EPSILON).sqrt() + offset
    }
}

/// 1x1 convolution, convolution over time for each channel by itself, 1x1 convolution; and what
/// came in.
#[derive(Debug)]
pub(super) struct Block {
    widen: Tensor,
    first: Activation,
    over_time: Tensor,
    second: Activation,
    narrow: Tensor,
    dilation: i64,
    is_causal: bool,
}

/// PReLU and normalisation.
#[derive(Debug)]
struct Activation {
    slope: Tensor,
    norm: Normalisation,
}

impl Activation {
    /// Of the members `index` and the next one of a sequence.
    fn new(scope: &Scope<'_>, index: usize, norm: Norm) -> Self {
        Self {
            slope: scope.at(index).tensor("weight"),
            norm: Normalisation::new(&scope.at(index + 1), norm),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.norm.forward(&x.prelu(&self.slope))
    }
}

impl Block {
    /// The `block`-th of a repeat, from the scope of the repeat.
    pub(super) fn new(scope: &Scope<'_>, config: &ConvTasNetConfig, block: usize) -> Self {
        let scope = scope.at(block).at("net");
        let inner = scope.at(3).at("net");
        let second = activation_index(config);
        Self {
            widen: scope.at(0).tensor("weight"),
            first: Activation::new(&scope, 1, config.norm),
            over_time: inner.at(0).tensor("weight"),
            second: Activation::new(&inner, second, config.norm),
            narrow: inner.at(second + 2).tensor("weight"),
            dilation: 1 << block,
            is_causal: config.causal,
        }
    }

    /// `[batch, bottleneck, positions]` → the same shape.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let hidden = conv1x1(x, &self.widen); // [batch, hidden, positions]
        let hidden = self.first.forward(&hidden);
        let (channels, positions) = (self.over_time.size()[0], hidden.size()[2]);
        // What the kernel reaches beyond its own position.
        let reach = (self.over_time.size()[2] - 1) * self.dilation;
        let padding = if self.is_causal { reach } else { reach / 2 };
        let hidden = hidden
            .conv1d(
                &self.over_time,
                None::<&Tensor>,
                [1],
                [padding],
                [self.dilation],
                channels,
            )
            // Causal: without the positions that have seen the future.
            .narrow(2, 0, positions);
        conv1x1(&self.second.forward(&hidden), &self.narrow) + x
    }
}

/// Mixes channels at each position: `[batch, in, positions]` → `[batch, out, positions]`.
pub(super) fn conv1x1(x: &Tensor, weight: &Tensor) -> Tensor {
    x.conv1d(weight, None::<&Tensor>, [1], [0], [1], 1)
}
