//! The residual branch that follows each strided convolution.

use tch::Tensor;

use super::activation::gelu;
use super::framed_blstm::FramedBlstm;
use super::group_norm::GroupNorm;
use super::local_state::LocalState;
use super::normalized_expansion::NormalizedExpansion;
use crate::parameters::{Init, Scope, SpecList};

const KERNEL: usize = 3;

/// Sizes of one residual branch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DConvShape {
    /// Channels in and out.
    pub(crate) channels: usize,
    /// Channels inside.
    pub(crate) hidden: usize,
    /// Number of layers; negative: without dilation.
    pub(crate) depth: i64,
    /// Initial weight of each layer.
    pub(crate) init: f64,
    pub(crate) has_lstm: bool,
    pub(crate) has_attention: bool,
}

impl DConvShape {
    pub(crate) fn specs(&self, list: &mut SpecList, prefix: &str) {
        for layer in 0..self.depth.unsigned_abs() {
            let at = |index: usize| format!("{prefix}.layers.{layer}.{index}");
            let (channels, hidden) = (self.channels, self.hidden);
            list.convolution(&at(0), &[hidden, channels, KERNEL]);
            GroupNorm::specs(list, &at(1), hidden);
            if self.has_lstm {
                FramedBlstm::specs(list, &at(3), hidden);
            }
            if self.has_attention {
                LocalState::specs(list, &at(self.after_lstm()), hidden);
            }
            let expand = self.after_attention();
            list.convolution(&at(expand), &[2 * channels, hidden, 1]);
            GroupNorm::specs(list, &at(expand + 1), 2 * channels);
            list.push(
                format!("{}.scale", at(expand + 3)),
                &[channels],
                Init::Constant(self.init),
            );
        }
    }

    /// Index, within a layer, of what follows the LSTM.
    fn after_lstm(&self) -> usize {
        if self.has_lstm { 4 } else { 3 }
    }

    fn after_attention(&self) -> usize {
        self.after_lstm() + usize::from(self.has_attention)
    }
}

/// A few dilated convolutions in a narrow space, each added to what came in.
#[derive(Debug)]
pub(crate) struct DConv {
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    narrow_weight: Tensor, // [hidden, channels, KERNEL]
    narrow_bias: Tensor,
    narrow_norm: GroupNorm,
    dilation: i64,
    lstm: Option<FramedBlstm>,
    attention: Option<LocalState>,
    expand: NormalizedExpansion,
}

impl DConv {
    pub(crate) fn new(scope: &Scope<'_>, shape: DConvShape) -> Self {
        let layer = |index: usize| {
            let scope = scope.at("layers").at(index);
            let expand = shape.after_attention();
            let narrow = scope.at(0);
            Layer {
                narrow_weight: narrow.tensor("weight"),
                narrow_bias: narrow.tensor("bias"),
                narrow_norm: GroupNorm::new(&scope.at(1), 1),
                dilation: if shape.depth > 0 { 1 << index } else { 1 },
                lstm: shape.has_lstm.then(|| FramedBlstm::new(&scope.at(3))),
                attention: shape
                    .has_attention
                    .then(|| LocalState::new(&scope.at(shape.after_lstm()))),
                expand: NormalizedExpansion::new(
                    &scope.at(expand),
                    &scope.at(expand + 1),
                    &scope.at(expand + 3),
                ),
            }
        };
        let count = shape.depth.unsigned_abs() as usize;
        Self {
            layers: (0..count).map(layer).collect(),
        }
    }

    /// `[batch, channels, positions]` → the same shape; in the same memory, if no gradient is
    /// recorded.
    pub(crate) fn forward(&self, x: Tensor) -> Tensor {
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }
}

impl Layer {
    fn forward(&self, mut x: Tensor) -> Tensor {
        let mut y = gelu(self.narrow_norm.forward(&self.narrow(&x))); // [batch, hidden, positions]
        if let Some(lstm) = &self.lstm {
            y = lstm.forward(&y);
        }
        if let Some(attention) = &self.attention {
            y = attention.forward(&y);
        }
        let gated = self.expand.forward(&y).glu(1); // [batch, channels, positions]
        if x.requires_grad() || gated.requires_grad() {
            x + gated
        } else {
            x += gated;
            x
        }
    }

    /// The dilated convolution: `[batch, channels, positions]` → `[batch, hidden, positions]`.
    ///
    /// One product for all taps, which are then shifted: they have few channels, so that is less to
    /// move than what came in.
    fn narrow(&self, x: &Tensor) -> Tensor {
        let (hidden, channels, kernel) =
            self.narrow_weight.size3().expect("kernels have three axes");
        let (batch, _, positions) = x.size3().expect("hidden audio has three axes");
        let matrix = self
            .narrow_weight
            .permute([2, 0, 1])
            .reshape([1, kernel * hidden, channels])
            .expand([batch, -1, -1], false);
        let taps = matrix.bmm(x); // [batch, kernel * hidden, positions]
        let centre = kernel / 2;
        let sum = taps.narrow(1, centre * hidden, hidden) + self.narrow_bias.view([1, -1, 1]);
        for tap in (0..kernel).filter(|&tap| tap != centre) {
            let shift = (tap - centre) * self.dilation;
            let kept = positions - shift.abs();
            if kept > 0 {
                let tap = taps.narrow(1, tap * hidden, hidden);
                let mut reached = sum.narrow(2, (-shift).max(0), kept);
                reached += tap.narrow(2, shift.max(0), kept);
            }
        }
        sum
    }
}
