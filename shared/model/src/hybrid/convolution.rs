//! A convolution over time, or over frequency and time.

use tch::Tensor;

use crate::parameters::Scope;

/// Weight, bias and geometry of one convolution; shares storage with the model's parameters.
///
/// The number of axes is the weight's: `[.., .., kernel]` or `[.., .., kernel, kernel]`.
#[derive(Debug)]
pub(crate) struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: Vec<i64>,
    padding: Vec<i64>,
    dilation: Vec<i64>,
}

impl Convolution {
    /// With stride 1, no padding, dilation 1.
    pub(crate) fn new(scope: &Scope<'_>) -> Self {
        let weight = scope.tensor("weight");
        let axes = weight.dim() - 2;
        Self {
            weight,
            bias: scope.tensor("bias"),
            stride: vec![1; axes],
            padding: vec![0; axes],
            dilation: vec![1; axes],
        }
    }

    /// Strides by `stride` on the first axis: frequency where there is one, else time.
    pub(crate) fn stride(mut self, stride: usize) -> Self {
        self.stride[0] = stride as i64;
        self
    }

    /// Pads both ends of the first axis with zeros.
    pub(crate) fn padding(mut self, padding: usize) -> Self {
        self.padding[0] = padding as i64;
        self
    }

    /// Pads so that the kernel, of odd length on every axis, keeps lengths as they are.
    pub(crate) fn same(mut self) -> Self {
        let kernel = &self.weight.size()[2..];
        let reach = kernel.iter().zip(&self.dilation).map(|(k, d)| (k / 2) * d);
        self.padding = reach.collect();
        self
    }

    /// Dilates the first axis.
    pub(crate) fn dilation(mut self, dilation: usize) -> Self {
        self.dilation[0] = dilation as i64;
        self
    }

    /// `[batch, inputs, ..]` → `[batch, outputs, ..]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        self.apply(x, false)
    }

    /// As a transposed convolution.
    pub(crate) fn forward_transposed(&self, x: &Tensor) -> Tensor {
        self.apply(x, true)
    }

    /// The bias, one value per output.
    pub(crate) fn bias(&self) -> &Tensor {
        &self.bias
    }

    fn apply(&self, x: &Tensor, is_transposed: bool) -> Tensor {
        let no_output_padding = vec![0; self.stride.len()];
        x.convolution(
            &self.weight,
            Some(&self.bias),
            &self.stride[..],
            &self.padding[..],
            &self.dilation[..],
            is_transposed,
            &no_output_padding[..],
            1,
        )
    }
}
