//! The parts of Demucs: encoder layer, bidirectional LSTM, decoder layer.

use tch::Tensor;

use super::DemucsConfig;
use super::parameters::transposed_index;
use crate::parameters::Scope;
use crate::transposed_convolution::transposed_convolution;
use crate::wide_lstm;

/// Weight and bias of one convolution; shares storage with the model's parameters.
#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
}

impl Convolution {
    fn new(scope: &Scope<'_>, stride: usize) -> Self {
        Self {
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
            stride: stride as i64,
        }
    }

    fn shared(&self) -> Self {
        Self {
            weight: self.weight.shallow_clone(),
            bias: self.bias.shallow_clone(),
            stride: self.stride,
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.conv1d(&self.weight, Some(&self.bias), [self.stride], [0], [1], 1)
    }

    fn forward_transposed(&self, x: &Tensor) -> Tensor {
        transposed_convolution(x, &self.weight, &self.bias, self.stride, 0)
    }
}

/// What follows a rewriting convolution: GLU halves the channels, ReLU keeps them.
fn activate(x: &Tensor, glu: bool) -> Tensor {
    if glu { x.glu(1) } else { x.relu() }
}

/// Strided convolution, ReLU, 1x1 convolution, GLU.
#[derive(Debug)]
pub(super) struct EncoderLayer {
    strided: Convolution,
    rewrite: Option<Convolution>,
    glu: bool,
}

impl EncoderLayer {
    pub(super) fn new(root: &Scope<'_>, config: &DemucsConfig, layer: usize) -> Self {
        let scope = root.at("encoder").at(layer);
        let convolution = |index: usize, stride| Convolution::new(&scope.at(index), stride);
        Self {
            strided: convolution(0, config.stride),
            rewrite: config.rewrite.then(|| convolution(2, 1)),
            glu: config.glu,
        }
    }

    /// A layer on the same weights.
    pub(super) fn shared(&self) -> Self {
        Self {
            strided: self.strided.shared(),
            rewrite: self.rewrite.as_ref().map(Convolution::shared),
            glu: self.glu,
        }
    }

    /// `[batch, width above, frames]` → `[batch, width, (frames - kernel) / stride + 1]`.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let hidden = self.strided.forward(x).relu_();
        match &self.rewrite {
            Some(rewrite) => activate(&rewrite.forward(&hidden), self.glu),
            None => hidden,
        }
    }
}

/// Bidirectional LSTM over time and a linear layer back to the width that came in.
#[derive(Debug)]
pub(crate) struct Blstm {
    weights: Vec<Tensor>,
    linear_weight: Tensor,
    linear_bias: Tensor,
    layers: i64,
}

impl Blstm {
    /// From the scope of the LSTM and its linear layer.
    pub(crate) fn new(scope: &Scope<'_>, layers: usize) -> Self {
        Self {
            weights: scope.lstm("lstm", layers, true),
            linear_weight: scope.at("linear").tensor("weight"),
            linear_bias: scope.at("linear").tensor("bias"),
            layers: layers as i64,
        }
    }

    /// `[batch, width, positions]` → the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let x = x.permute([2, 0, 1]); // [positions, batch, width]
        let x = if wide_lstm::is_worthwhile(&self.weights) {
            wide_lstm::bidirectional(&x, &self.weights)
        } else {
            self.libtorchs(&x)
        }; // [positions, batch, 2 * width]
        x.linear(&self.linear_weight, Some(&self.linear_bias))
            .permute([1, 2, 0])
    }

    /// `[positions, batch, width]` → `[positions, batch, 2 * width]`.
    fn libtorchs(&self, x: &Tensor) -> Tensor {
        let (_, batch, width) = x.size3().expect("hidden audio has three axes");
        let start = Tensor::zeros([2 * self.layers, batch, width], (x.kind(), x.device()));
        let (x, _, _) = x.lstm(
            &[&start, &start],
            &self.weights.iter().collect::<Vec<_>>(),
            true,
            self.layers,
            0.0,
            false,
            true,
            false,
        );
        x
    }
}

/// Convolution over neighbouring positions, GLU, transposed strided convolution, ReLU.
#[derive(Debug)]
pub(super) struct DecoderLayer {
    rewrite: Option<Convolution>,
    glu: bool,
    strided: Convolution,
    is_outermost: bool,
}

impl DecoderLayer {
    pub(super) fn new(root: &Scope<'_>, config: &DemucsConfig, layer: usize) -> Self {
        let scope = root.at("decoder").at(layer);
        let convolution = |index: usize, stride| Convolution::new(&scope.at(index), stride);
        Self {
            rewrite: config.rewrite.then(|| convolution(0, 1)),
            glu: config.glu,
            strided: convolution(transposed_index(config), config.stride),
            is_outermost: layer + 1 == config.depth,
        }
    }

    /// A layer on the same weights.
    pub(super) fn shared(&self) -> Self {
        Self {
            rewrite: self.rewrite.as_ref().map(Convolution::shared),
            glu: self.glu,
            strided: self.strided.shared(),
            is_outermost: self.is_outermost,
        }
    }

    /// `[batch, width, positions]` → `[batch, width above, (positions - context) * stride + kernel]`.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let mut y = match &self.rewrite {
            Some(rewrite) => self
                .strided
                .forward_transposed(&activate(&rewrite.forward(x), self.glu)),
            None => self.strided.forward_transposed(x),
        };
        if self.is_outermost { y } else { y.relu_() }
    }
}
