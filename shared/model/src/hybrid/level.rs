//! What encoder and decoder layers of a hybrid network have in common.

use tch::Tensor;

use super::convolution::Convolution;
use super::dconv::{DConv, DConvShape};
use super::group_norm::{GroupNorm, normalized};
use crate::parameters::{Scope, SpecList};

/// Sizes of one encoder or decoder layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerShape {
    /// Channels into the strided (or transposed) convolution.
    pub(crate) inputs: usize,
    /// Channels out of it.
    pub(crate) outputs: usize,
    /// Works on `[batch, channels, frequency, time]`, along frequency; else along time.
    pub(crate) is_freq: bool,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    /// Groups of the normalisations; `None`: there are none.
    pub(crate) norm_groups: Option<usize>,
    /// `None` leaves only the strided convolution, where the branches meet.
    pub(crate) body: Option<BodyShape>,
    /// Ends the decoder: no activation.
    pub(crate) is_outermost: bool,
}

/// All of a layer but its strided convolution.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BodyShape {
    /// Channels.
    pub(crate) width: usize,
    /// Kernel of the rewriting convolution over frequency and time; the first is unused where
    /// there is no frequency.
    pub(crate) rewrite: Option<[usize; 2]>,
    pub(crate) dconv: Option<DConvShape>,
}

impl LayerShape {
    /// Shape of the strided convolution's weight, of `first` and `second` channels.
    pub(crate) fn strided(&self, first: usize, second: usize) -> Vec<usize> {
        let mut shape = vec![first, second, self.kernel];
        if self.is_freq {
            shape.push(1);
        }
        shape
    }

    pub(crate) fn norm_specs(&self, list: &mut SpecList, prefix: &str, channels: usize) {
        if self.norm_groups.is_some() {
            GroupNorm::specs(list, prefix, channels);
        }
    }

    pub(crate) fn norm(&self, scope: &Scope<'_>) -> Option<GroupNorm> {
        self.norm_groups.map(|groups| GroupNorm::new(scope, groups))
    }

    /// Weights of the body; `norm` is what the rewriting convolution's normalisation is called.
    pub(crate) fn body_specs(&self, list: &mut SpecList, prefix: &str, norm: &str) {
        let Some(body) = &self.body else { return };
        if let Some(kernel) = body.rewrite {
            let kernel = if self.is_freq {
                &kernel[..]
            } else {
                &kernel[1..]
            };
            let shape = [&[2 * body.width, body.width], kernel].concat();
            list.convolution(&format!("{prefix}.rewrite"), &shape);
            self.norm_specs(list, &format!("{prefix}.{norm}"), 2 * body.width);
        }
        if let Some(dconv) = &body.dconv {
            dconv.specs(list, &format!("{prefix}.dconv"));
        }
    }
}

/// The rewriting convolution and its GLU.
#[derive(Debug)]
pub(crate) struct Rewrite {
    convolution: Convolution,
    norm: Option<GroupNorm>,
}

impl Rewrite {
    pub(crate) fn new(scope: &Scope<'_>, shape: &LayerShape, norm: &str) -> Option<Self> {
        shape.body.as_ref()?.rewrite.map(|_| Self {
            convolution: Convolution::new(&scope.at("rewrite")).same(),
            norm: shape.norm(&scope.at(norm)),
        })
    }

    /// `[batch, width, ..]` → the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        normalized(self.norm.as_ref(), self.convolution.forward(x)).glu(1)
    }
}

/// A residual branch over time, the same for every frequency.
#[derive(Debug)]
pub(crate) struct Residual(DConv);

impl Residual {
    pub(crate) fn new(scope: &Scope<'_>, shape: &LayerShape) -> Option<Self> {
        let dconv = shape.body.as_ref()?.dconv?;
        Some(Self(DConv::new(&scope.at("dconv"), dconv)))
    }

    /// `[batch, width, time]` or `[batch, width, frequency, time]` → the same shape.
    pub(crate) fn forward(&self, x: Tensor) -> Tensor {
        let Ok((batch, width, freqs, frames)) = x.size4() else {
            return self.0.forward(x);
        };
        let rows = x
            .permute([0, 2, 1, 3])
            .reshape([batch * freqs, width, frames]);
        self.0
            .forward(rows)
            .view([batch, freqs, width, frames])
            .permute([0, 2, 1, 3])
    }
}
