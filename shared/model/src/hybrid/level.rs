//! What encoder and decoder layers of a hybrid network have in common.

use tch::Tensor;

use super::convolution::Convolution;
use super::dconv::{DConv, DConvShape};
use super::group_norm::GroupNorm;
use super::spectral_convolution::SpectralConvolution;
use crate::parameters::{Scope, SpecList};

/// Sizes of one encoder or decoder layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerShape {
    /// Channels into the strided (or transposed) convolution.
    pub(crate) inputs: usize,
    /// Channels out of it.
    pub(crate) outputs: usize,
    /// Works on `[batch, frequency, channels, time]`, along frequency; else on `[batch, channels,
    /// time]`, along time.
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

/// The strided or rewriting convolution of a layer, over frequency or over time.
#[derive(Debug)]
pub(crate) enum LayerConvolution {
    Spectral(SpectralConvolution),
    Time(Convolution),
}

impl LayerConvolution {
    pub(crate) fn strided(scope: &Scope<'_>, shape: &LayerShape) -> Self {
        let (stride, padding) = (shape.stride, shape.padding);
        if shape.is_freq {
            Self::Spectral(SpectralConvolution::new(scope, stride, padding))
        } else {
            Self::Time(Convolution::new(scope).stride(stride).padding(padding))
        }
    }

    /// Strided, back from narrow to wide; what padding would cut off is left.
    pub(crate) fn transposed(scope: &Scope<'_>, shape: &LayerShape) -> Self {
        let unpadded = LayerShape {
            padding: 0,
            ..shape.clone()
        };
        Self::strided(scope, &unpadded)
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Spectral(convolution) => convolution.forward(x),
            Self::Time(convolution) => convolution.forward(x),
        }
    }

    pub(crate) fn forward_transposed(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Spectral(convolution) => convolution.forward_transposed(x),
            Self::Time(convolution) => convolution.forward_transposed(x),
        }
    }

    /// The bias, one value per output.
    pub(crate) fn bias(&self) -> &Tensor {
        match self {
            Self::Spectral(convolution) => convolution.bias(),
            Self::Time(convolution) => convolution.bias(),
        }
    }
}

/// Normalises hidden audio of either layout, if the config asks for it.
pub(crate) fn normalized_level(norm: Option<&GroupNorm>, x: Tensor) -> Tensor {
    match norm {
        None => x,
        Some(norm) if x.dim() == 3 => norm.forward(&x),
        // Groups are of channels, over all frequencies.
        Some(norm) => norm.forward(&x.transpose(1, 2)).transpose(1, 2),
    }
}

/// The rewriting convolution and its GLU.
#[derive(Debug)]
pub(crate) struct Rewrite {
    convolution: LayerConvolution,
    norm: Option<GroupNorm>,
}

impl Rewrite {
    pub(crate) fn new(scope: &Scope<'_>, shape: &LayerShape, norm: &str) -> Option<Self> {
        let at = scope.at("rewrite");
        shape.body.as_ref()?.rewrite.map(|_| Self {
            convolution: if shape.is_freq {
                LayerConvolution::Spectral(SpectralConvolution::same(&at))
            } else {
                LayerConvolution::Time(Convolution::new(&at).same())
            },
            norm: shape.norm(&scope.at(norm)),
        })
    }

    /// `[batch, width, time]` or `[batch, frequency, width, time]` → the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        normalized_level(self.norm.as_ref(), self.convolution.forward(x)).glu(-2)
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

    /// `[batch, width, time]` or `[batch, frequency, width, time]` → the same shape, perhaps in the
    /// same memory.
    pub(crate) fn forward(&self, x: Tensor) -> Tensor {
        let Ok((batch, freqs, width, frames)) = x.size4() else {
            return self.0.forward(x);
        };
        self.0
            .forward(x.reshape([batch * freqs, width, frames]))
            .view([batch, freqs, width, frames])
    }
}
