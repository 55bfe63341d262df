//! A 1x1 convolution to many channels, its normalisation and its scale, as one matrix product.

use tch::{Kind, Tensor};

use crate::parameters::Scope;

/// torch's default.
const EPSILON: f64 = 1e-5;

/// What ends a residual branch: 1x1 convolution, normalisation over everything, GLU, scale; all but
/// the GLU.
///
/// Mean and variance of the convolution's output follow from mean and covariance of its input,
/// which has several times fewer channels: so they are known beforehand, and the output is written
/// once, normalised and scaled, instead of being read and written again for each step.
#[derive(Debug)]
pub(crate) struct NormalizedExpansion {
    weight: Tensor, // [outputs, hidden, 1]
    bias: Tensor,
    gain: Tensor,
    offset: Tensor,
    scale: Tensor, // [outputs / 2]
}

impl NormalizedExpansion {
    pub(crate) fn new(convolution: &Scope<'_>, norm: &Scope<'_>, scale: &Scope<'_>) -> Self {
        Self {
            weight: convolution.tensor("weight"),
            bias: convolution.tensor("bias"),
            gain: norm.tensor("weight"),
            offset: norm.tensor("bias"),
            scale: scale.tensor("scale"),
        }
    }

    /// `[batch, hidden, positions]` → `[batch, outputs, positions]`, whose GLU is to be added.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, hidden, positions) = x.size3().expect("hidden audio has three axes");
        let weight = self.weight.squeeze_dim(2); // [outputs, hidden]
        let mean = x.mean_dim(2, true, None::<Kind>); // [batch, hidden, 1]
        let centred = x - &mean;
        let covariance = centred.bmm(&centred.transpose(1, 2)) / positions as f64; // [batch, hidden, hidden]

        // Mean and variance of each output, then of all outputs together.
        let means = mean.squeeze_dim(2).matmul(&weight.transpose(0, 1)) + &self.bias; // [batch, outputs]
        let variances =
            (weight.matmul(&covariance) * &weight).sum_dim_intlist(2, false, None::<Kind>); // [batch, outputs]
        let from_mean = &means - means.mean_dim(1, true, None::<Kind>);
        let variance = (variances + from_mean.square()).mean_dim(1, true, None::<Kind>); // [batch, 1]
        let gain = &self.gain * (variance + EPSILON).rsqrt(); // [batch, outputs]
        let offset = from_mean * &gain + &self.offset;

        // A GLU scales by its first half.
        let scale = Tensor::cat(&[&self.scale, &self.scale.ones_like()], 0);
        let matrix = Tensor::cat(
            &[
                (&gain * &scale).unsqueeze(2) * weight,
                (offset * scale).unsqueeze(2),
            ],
            2,
        ); // [batch, outputs, hidden + 1]
        let ones = Tensor::ones([batch, 1, positions], (x.kind(), x.device()));
        let with_one = Tensor::cat(&[centred, ones], 1); // [batch, hidden + 1, positions]
        debug_assert_eq!(matrix.size()[2], hidden + 1);
        matrix.bmm(&with_one)
    }
}
