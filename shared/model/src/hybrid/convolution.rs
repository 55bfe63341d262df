//! A convolution over time.

use tch::Tensor;

use crate::parameters::Scope;
use crate::transposed_convolution::transposed_convolution;

/// Weight, bias and geometry of one convolution; shares storage with the model's parameters.
#[derive(Debug)]
pub(crate) struct Convolution {
    weight: Tensor, // [outputs, inputs, kernel], or [inputs, outputs, kernel] if transposed
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl Convolution {
    /// With stride 1 and no padding.
    pub(crate) fn new(scope: &Scope<'_>) -> Self {
        Self {
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
            stride: 1,
            padding: 0,
        }
    }

    pub(crate) fn stride(mut self, stride: usize) -> Self {
        self.stride = stride as i64;
        self
    }

    /// Pads both ends with zeros.
    pub(crate) fn padding(mut self, padding: usize) -> Self {
        self.padding = padding as i64;
        self
    }

    /// Pads so that the kernel, of odd length, keeps the length as it is.
    pub(crate) fn same(mut self) -> Self {
        self.padding = self.weight.size()[2] / 2;
        self
    }

    /// `[batch, inputs, frames]` → `[batch, outputs, ..]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride], [self.padding]);
        x.conv1d(&self.weight, Some(&self.bias), stride, padding, [1], 1)
    }

    /// As a transposed convolution.
    pub(crate) fn forward_transposed(&self, x: &Tensor) -> Tensor {
        transposed_convolution(x, &self.weight, &self.bias, self.stride, self.padding)
    }

    /// The bias, one value per output.
    pub(crate) fn bias(&self) -> &Tensor {
        &self.bias
    }
}
