//! Normalisation over groups of channels and all positions.

use tch::{Kind, Tensor};

use crate::parameters::{Init, Scope, SpecList};

/// torch's default.
const EPSILON: f64 = 1e-5;

/// Mean 0 and variance 1 per item and group, then a gain and an offset per channel.
#[derive(Debug)]
pub(crate) struct GroupNorm {
    groups: i64,
    weight: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    pub(crate) fn specs(list: &mut SpecList, prefix: &str, channels: usize) {
        list.push(format!("{prefix}.weight"), &[channels], Init::Constant(1.0));
        list.push(format!("{prefix}.bias"), &[channels], Init::Constant(0.0));
    }

    pub(crate) fn new(scope: &Scope<'_>, groups: usize) -> Self {
        Self {
            groups: groups as i64,
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
        }
    }

    /// `[batch, channels, ..]` → the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(
            self.groups,
            Some(&self.weight),
            Some(&self.bias),
            EPSILON,
            true,
        )
    }

    /// `[batch, positions, channels]` → the same shape, as one group of all.
    pub(crate) fn forward_tokens(&self, x: &Tensor) -> Tensor {
        let mean = x.mean_dim(&[1i64, 2][..], true, None::<Kind>); // [batch, 1, 1]
        let variance = x.var_dim(&[1i64, 2][..], false, true);
        let gain = (variance + EPSILON).rsqrt() * &self.weight; // [batch, 1, channels]
        let offset = &self.bias - mean * &gain;
        offset.addcmul(x, &gain)
    }
}

/// Applies a normalisation that a config may leave out.
pub(crate) fn normalized(norm: Option<&GroupNorm>, x: Tensor) -> Tensor {
    match norm {
        Some(norm) => norm.forward(&x),
        None => x,
    }
}
