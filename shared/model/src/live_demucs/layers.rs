//! The causal layers: strided convolution down, transposed convolution up.

use tch::Tensor;

use super::LiveDemucsConfig;
use crate::causal::Carry;
use crate::parameters::Scope;

/// Weight and bias of one convolution as a matrix; shares storage with the model's parameters.
#[derive(Debug)]
struct Matrix {
    weight: Tensor,
    bias: Tensor,
}

impl Matrix {
    fn new(scope: &Scope<'_>, name: &str) -> Self {
        let scope = scope.at(name);
        Self {
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// Strided convolution over what was and is heard, ReLU, 1x1 convolution, GLU.
#[derive(Debug)]
pub(super) struct EncoderLayer {
    strided: Matrix,
    rewrite: Matrix,
    kernel: i64,
    stride: i64,
}

impl EncoderLayer {
    pub(super) fn new(root: &Scope<'_>, config: &LiveDemucsConfig, layer: usize) -> Self {
        let scope = root.at("encoder").at(layer);
        Self {
            strided: Matrix::new(&scope, "strided"),
            rewrite: Matrix::new(&scope, "rewrite"),
            kernel: config.kernel_size as i64,
            stride: config.stride as i64,
        }
    }

    /// One piece: what the next window hears again.
    pub(super) fn state_shape(config: &LiveDemucsConfig, inputs: usize) -> Vec<i64> {
        vec![(config.kernel_size - config.stride) as i64, inputs as i64]
    }

    /// `[batch, stride * positions, inputs]` → `[batch, positions, width]`.
    pub(super) fn run(&self, carry: &mut Carry, x: &Tensor) -> Tensor {
        let windows = carry
            .with_past(x, 1)
            .unfold(1, self.kernel, self.stride) // [batch, positions, inputs, kernel]
            .transpose(2, 3)
            .flatten(2, 3); // [batch, positions, kernel * inputs]
        let hidden = self.strided.forward(&windows).relu_();
        self.rewrite.forward(&hidden).glu(2)
    }
}

/// 1x1 convolution, GLU, transposed strided convolution whose tails are carried, ReLU.
#[derive(Debug)]
pub(super) struct DecoderLayer {
    rewrite: Matrix,
    strided: Matrix,
    kernel: i64,
    stride: i64,
    is_outermost: bool,
}

impl DecoderLayer {
    pub(super) fn new(root: &Scope<'_>, config: &LiveDemucsConfig, layer: usize) -> Self {
        let scope = root.at("decoder").at(layer);
        Self {
            rewrite: Matrix::new(&scope, "rewrite"),
            strided: Matrix::new(&scope, "strided"),
            kernel: config.kernel_size as i64,
            stride: config.stride as i64,
            is_outermost: layer == 0,
        }
    }

    /// One piece per stride that a position's output reaches beyond its own.
    pub(super) fn state_shapes(config: &LiveDemucsConfig, outputs: usize) -> Vec<Vec<i64>> {
        let later = 1..config.kernel_size.div_ceil(config.stride);
        later
            .map(|strides| vec![strides as i64, config.stride as i64, outputs as i64])
            .collect()
    }

    /// `[batch, positions, width]` → `[batch, stride * positions, outputs]`: all that is final.
    pub(super) fn run(&self, carry: &mut Carry, x: &Tensor) -> Tensor {
        let Self { kernel, stride, .. } = *self;
        let (batch, positions, _) = x.size3().expect("hidden audio has three axes");
        let strides = (kernel + stride - 1) / stride;
        let hidden = self.rewrite.forward(x).glu(2);
        let mut reached = hidden
            .linear(&self.strided.weight, None::<Tensor>)
            .reshape([batch, positions, kernel, -1]); // [batch, positions, kernel, outputs]
        if kernel < strides * stride {
            reached = reached.constant_pad_nd([0, 0, 0, strides * stride - kernel]);
        }
        let part = |index| reached.narrow(2, index * stride, stride); // [batch, positions, stride, outputs]
        let own = part(0) + &self.strided.bias;
        let mut sum = (1..strides)
            .fold(own, |sum, index| sum + carry.delayed(&part(index), 1))
            .flatten(1, 2); // [batch, stride * positions, outputs]
        if self.is_outermost { sum } else { sum.relu_() }
    }
}
