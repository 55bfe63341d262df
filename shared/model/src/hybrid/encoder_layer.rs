//! One level of an encoder, over frequency or over time.

use tch::Tensor;

use super::activation::gelu;
use super::group_norm::GroupNorm;
use super::level::{LayerConvolution, LayerShape, Residual, Rewrite, normalized_level};
use crate::parameters::{Scope, SpecList};

/// Strided convolution, GELU, residual branch, rewriting convolution, GLU (`HEncLayer`).
#[derive(Debug)]
pub(crate) struct EncoderLayer {
    strided: LayerConvolution,
    norm: Option<GroupNorm>,
    residual: Option<Residual>,
    rewrite: Option<Rewrite>,
    stride: i64,
    is_freq: bool,
    is_empty: bool,
}

impl EncoderLayer {
    pub(crate) fn specs(list: &mut SpecList, prefix: &str, shape: &LayerShape) {
        list.convolution(
            &format!("{prefix}.conv"),
            &shape.strided(shape.outputs, shape.inputs),
        );
        if shape.body.is_some() {
            shape.norm_specs(list, &format!("{prefix}.norm1"), shape.outputs);
            shape.body_specs(list, prefix, "norm2");
        }
    }

    pub(crate) fn new(scope: &Scope<'_>, shape: &LayerShape) -> Self {
        let is_empty = shape.body.is_none();
        let norm = || shape.norm(&scope.at("norm1"));
        Self {
            strided: LayerConvolution::strided(&scope.at("conv"), shape),
            norm: if is_empty { None } else { norm() },
            residual: Residual::new(scope, shape),
            rewrite: Rewrite::new(scope, shape, "norm2"),
            stride: shape.stride as i64,
            is_freq: shape.is_freq,
            is_empty,
        }
    }

    /// Over frequency: `[batch, frequency, inputs, time]` → `[batch, frequency / stride, outputs,
    /// time]`. Over time: `[batch, inputs, time]` → `[batch, outputs, time / stride]`, rounded up; a
    /// frequency axis of length 1 is dropped.
    ///
    /// `inject` is added to the strided convolution's output: the time branch, where it ends.
    pub(crate) fn forward(&self, x: &Tensor, inject: Option<&Tensor>) -> Tensor {
        let mut y = if self.is_freq {
            self.strided.forward(x)
        } else {
            self.strided.forward(&self.whole_strides(x))
        };
        if self.is_empty {
            return y;
        }
        if let Some(inject) = inject {
            // The other branch has no frequency axis: all of it goes to the one that is left.
            y += if y.dim() == 4 && inject.dim() == 3 {
                inject.unsqueeze(1)
            } else {
                inject.shallow_clone()
            };
        }
        let mut y = gelu(normalized_level(self.norm.as_ref(), y));
        if let Some(residual) = &self.residual {
            y = residual.forward(y);
        }
        match &self.rewrite {
            Some(rewrite) => rewrite.forward(&y),
            None => y,
        }
    }

    /// Without frequency axis, and padded so that no frame is left over.
    fn whole_strides(&self, x: &Tensor) -> Tensor {
        let x = if x.dim() == 4 {
            x.squeeze_dim(1)
        } else {
            x.shallow_clone()
        };
        let missing = (-x.size()[2]).rem_euclid(self.stride);
        if missing == 0 {
            x
        } else {
            x.constant_pad_nd([0, missing])
        }
    }
}
