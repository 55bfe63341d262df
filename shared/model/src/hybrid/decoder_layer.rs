//! One level of a decoder, over frequency or over time.

use tch::Tensor;

use super::activation::gelu;
use super::group_norm::GroupNorm;
use super::level::{LayerConvolution, LayerShape, Residual, Rewrite, normalized_level};
use crate::parameters::{Scope, SpecList};

/// Skip, rewriting convolution, GLU, residual branch, transposed convolution, GELU (`HDecLayer`).
#[derive(Debug)]
pub(crate) struct DecoderLayer {
    rewrite: Option<Rewrite>,
    residual: Option<Residual>,
    strided: LayerConvolution,
    norm: Option<GroupNorm>,
    padding: i64,
    is_freq: bool,
    is_outermost: bool,
}

impl DecoderLayer {
    pub(crate) fn specs(list: &mut SpecList, prefix: &str, shape: &LayerShape) {
        list.transposed_convolution(
            &format!("{prefix}.conv_tr"),
            &shape.strided(shape.inputs, shape.outputs),
        );
        shape.norm_specs(list, &format!("{prefix}.norm2"), shape.outputs);
        shape.body_specs(list, prefix, "norm1");
    }

    pub(crate) fn new(scope: &Scope<'_>, shape: &LayerShape) -> Self {
        Self {
            rewrite: Rewrite::new(scope, shape, "norm1"),
            residual: Residual::new(scope, shape),
            strided: LayerConvolution::transposed(&scope.at("conv_tr"), shape),
            norm: shape.norm(&scope.at("norm2")),
            padding: shape.padding as i64,
            is_freq: shape.is_freq,
            is_outermost: shape.is_outermost,
        }
    }

    /// All before the transposed convolution: a sum with the skip of the same level → the same
    /// shape, perhaps in the same memory.
    pub(crate) fn before_strided(&self, x: Tensor) -> Tensor {
        let y = match &self.rewrite {
            Some(rewrite) => rewrite.forward(&x),
            None => x,
        };
        match &self.residual {
            Some(residual) => residual.forward(y),
            None => y,
        }
    }

    /// The transposed convolution and what follows.
    ///
    /// Over frequency: `[batch, frequency, inputs, time]` → `[batch, frequency * stride, outputs,
    /// time]` (or as long as the kernel, where one frequency is left). Over time: `[batch, inputs,
    /// time]` → `[batch, outputs, frames]`.
    pub(crate) fn strided(&self, y: &Tensor, frames: i64) -> Tensor {
        let z = self.untrimmed(y);
        let z = if !self.is_freq {
            z.narrow(2, self.padding, frames)
        } else if self.padding > 0 {
            z.narrow(1, self.padding, z.size()[1] - 2 * self.padding)
        } else {
            z
        };
        if self.is_outermost { z } else { gelu(z) }
    }

    /// The transposed convolution with both ends that its padding would cut off, not activated.
    pub(crate) fn untrimmed(&self, y: &Tensor) -> Tensor {
        normalized_level(self.norm.as_ref(), self.strided.forward_transposed(y))
    }

    /// The bias of the transposed convolution, one value per output.
    pub(crate) fn bias(&self) -> &Tensor {
        self.strided.bias()
    }
}
