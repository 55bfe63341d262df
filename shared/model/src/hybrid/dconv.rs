//! The residual branch that follows each strided convolution.

use tch::Tensor;

use super::activation::gelu;
use super::convolution::Convolution;
use super::framed_blstm::FramedBlstm;
use super::group_norm::GroupNorm;
use super::local_state::LocalState;
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
    narrow: Convolution,
    narrow_norm: GroupNorm,
    lstm: Option<FramedBlstm>,
    attention: Option<LocalState>,
    expand: Convolution,
    expand_norm: GroupNorm,
    scale: Tensor,
}

impl DConv {
    pub(crate) fn new(scope: &Scope<'_>, shape: DConvShape) -> Self {
        let layer = |index: usize| {
            let scope = scope.at("layers").at(index);
            let expand = shape.after_attention();
            let dilation = if shape.depth > 0 { 1 << index } else { 1 };
            Layer {
                narrow: Convolution::new(&scope.at(0)).dilation(dilation).same(),
                narrow_norm: GroupNorm::new(&scope.at(1), 1),
                lstm: shape.has_lstm.then(|| FramedBlstm::new(&scope.at(3))),
                attention: shape
                    .has_attention
                    .then(|| LocalState::new(&scope.at(shape.after_lstm()))),
                expand: Convolution::new(&scope.at(expand)),
                expand_norm: GroupNorm::new(&scope.at(expand + 1), 1),
                scale: scope.at(expand + 3).tensor("scale"),
            }
        };
        let count = shape.depth.unsigned_abs() as usize;
        Self {
            layers: (0..count).map(layer).collect(),
        }
    }

    /// `[batch, channels, positions]` → the same shape.
    pub(crate) fn forward(&self, x: Tensor) -> Tensor {
        self.layers.iter().fold(x, |x, layer| layer.forward(&x))
    }
}

impl Layer {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut y = gelu(self.narrow_norm.forward(&self.narrow.forward(x))); // [batch, hidden, positions]
        if let Some(lstm) = &self.lstm {
            y = lstm.forward(&y);
        }
        if let Some(attention) = &self.attention {
            y = attention.forward(&y);
        }
        let y = self.expand_norm.forward(&self.expand.forward(&y)).glu(1); // [batch, channels, positions]
        x.addcmul(&self.scale.unsqueeze(1), &y)
    }
}
