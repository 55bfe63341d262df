//! Encoder and decoder layers, and the names of their weights.
//!
//! The reference counts everything within a layer, activations included: 0 is a convolution, 1 its
//! normalisation, 2 the activation, and so on.

use tch::Tensor;

use super::DemucsV3Config;
use crate::hybrid::activation::{gelu, relu};
use crate::hybrid::convolution::Convolution;
use crate::hybrid::dconv::{DConv, DConvShape};
use crate::hybrid::framed_blstm::blstm_specs;
use crate::hybrid::group_norm::{GroupNorm, normalized};
use crate::parameters::{ParameterSpec, Scope, SpecList};

/// What layer `index`, counted from the outside, is made of.
struct LayerPlan {
    width: usize,
    above: usize,
    has_norm: bool,
    encoder_dconv: Option<DConvShape>,
    decoder_dconv: Option<DConvShape>,
}

fn plan(config: &DemucsV3Config, index: usize) -> LayerPlan {
    let widths = config.layer_widths();
    let width = widths[index];
    let dconv = |mode| (config.dconv_mode & mode != 0).then(|| config.dconv(index, width));
    LayerPlan {
        width,
        above: match index {
            0 => config.audio_channels,
            _ => widths[index - 1],
        },
        has_norm: index >= config.norm_starts,
        encoder_dconv: dconv(1),
        decoder_dconv: dconv(2),
    }
}

/// Index of the rewriting convolution within an encoder layer.
fn rewrite_index(plan: &LayerPlan) -> usize {
    if plan.encoder_dconv.is_some() { 4 } else { 3 }
}

/// Index of the residual branch within a decoder layer.
fn residual_index(config: &DemucsV3Config) -> usize {
    if config.rewrite { 3 } else { 0 }
}

/// Index of the transposed convolution within a decoder layer.
fn transposed_index(config: &DemucsV3Config, plan: &LayerPlan) -> usize {
    residual_index(config) + usize::from(plan.decoder_dconv.is_some())
}

/// Every weight of a config.
pub(super) fn specs(config: &DemucsV3Config) -> Vec<ParameterSpec> {
    let mut list = SpecList::default();
    let gate = if config.glu { 2 } else { 1 };
    for index in 0..config.depth {
        let plan = plan(config, index);
        let width = plan.width;
        let norm = |list: &mut SpecList, prefix: &str, channels| {
            if plan.has_norm {
                GroupNorm::specs(list, prefix, channels);
            }
        };
        let at = |part: usize| format!("encoder.{index}.{part}");
        list.convolution(&at(0), &[width, plan.above, config.kernel_size]);
        norm(&mut list, &at(1), width);
        if let Some(dconv) = &plan.encoder_dconv {
            dconv.specs(&mut list, &at(3));
        }
        if config.rewrite {
            let rewrite = rewrite_index(&plan);
            list.convolution(&at(rewrite), &[gate * width, width, 1]);
            norm(&mut list, &at(rewrite + 1), gate * width);
        }

        let at = |part: usize| format!("decoder.{}.{part}", config.depth - 1 - index);
        if config.rewrite {
            list.convolution(&at(0), &[gate * width, width, 2 * config.context + 1]);
            norm(&mut list, &at(1), gate * width);
        }
        if let Some(dconv) = &plan.decoder_dconv {
            dconv.specs(&mut list, &at(residual_index(config)));
        }
        let outputs = match index {
            0 => config.stems.len() * config.audio_channels,
            _ => plan.above,
        };
        let transposed = transposed_index(config, &plan);
        list.transposed_convolution(&at(transposed), &[width, outputs, config.kernel_size]);
        if index > 0 {
            norm(&mut list, &at(transposed + 1), outputs);
        }
    }
    if config.lstm_layers > 0 {
        let width = config.layer_widths().last().copied().unwrap_or(0);
        blstm_specs(&mut list, "lstm", width, config.lstm_layers);
    }
    list.into_specs()
}

/// A 1x1 or context convolution and its gate.
#[derive(Debug)]
struct Rewrite {
    convolution: Convolution,
    norm: Option<GroupNorm>,
    glu: bool,
}

impl Rewrite {
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = normalized(self.norm.as_ref(), self.convolution.forward(x));
        if self.glu { y.glu(1) } else { relu(y) }
    }
}

fn activated(x: Tensor, has_gelu: bool) -> Tensor {
    if has_gelu { gelu(x) } else { relu(x) }
}

/// Strided convolution, GELU, residual branch, 1x1 convolution, GLU.
#[derive(Debug)]
pub(super) struct EncoderLayer {
    strided: Convolution,
    norm: Option<GroupNorm>,
    has_gelu: bool,
    residual: Option<DConv>,
    rewrite: Option<Rewrite>,
}

impl EncoderLayer {
    /// Layer `index`, counted from the outside, from the root of the tree.
    pub(super) fn new(root: &Scope<'_>, config: &DemucsV3Config, index: usize) -> Self {
        let plan = plan(config, index);
        let scope = root.at("encoder").at(index);
        let norm = |part: usize| {
            plan.has_norm
                .then(|| GroupNorm::new(&scope.at(part), config.norm_groups))
        };
        let rewrite = rewrite_index(&plan);
        Self {
            strided: Convolution::new(&scope.at(0)).stride(config.stride),
            norm: norm(1),
            has_gelu: config.gelu,
            residual: plan
                .encoder_dconv
                .map(|dconv| DConv::new(&scope.at(3), dconv)),
            rewrite: config.rewrite.then(|| Rewrite {
                convolution: Convolution::new(&scope.at(rewrite)),
                norm: norm(rewrite + 1),
                glu: config.glu,
            }),
        }
    }

    /// `[batch, width above, frames]` → `[batch, width, (frames - kernel) / stride + 1]`.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let y = normalized(self.norm.as_ref(), self.strided.forward(x));
        let mut y = activated(y, self.has_gelu);
        if let Some(residual) = &self.residual {
            y = residual.forward(y);
        }
        match &self.rewrite {
            Some(rewrite) => rewrite.forward(&y),
            None => y,
        }
    }
}

/// Convolution over neighbours, GLU, residual branch, transposed convolution, GELU.
#[derive(Debug)]
pub(super) struct DecoderLayer {
    rewrite: Option<Rewrite>,
    residual: Option<DConv>,
    strided: Convolution,
    norm: Option<GroupNorm>,
    has_gelu: bool,
    is_outermost: bool,
}

impl DecoderLayer {
    /// Layer `index`, counted from the outside, from the root of the tree, which counts decoder
    /// layers from the bottom.
    pub(super) fn new(root: &Scope<'_>, config: &DemucsV3Config, index: usize) -> Self {
        let plan = plan(config, index);
        let scope = root.at("decoder").at(config.depth - 1 - index);
        let norm = |part: usize| {
            plan.has_norm
                .then(|| GroupNorm::new(&scope.at(part), config.norm_groups))
        };
        let transposed = transposed_index(config, &plan);
        Self {
            rewrite: config.rewrite.then(|| Rewrite {
                convolution: Convolution::new(&scope.at(0)).same(),
                norm: norm(1),
                glu: config.glu,
            }),
            residual: plan
                .decoder_dconv
                .map(|dconv| DConv::new(&scope.at(residual_index(config)), dconv)),
            strided: Convolution::new(&scope.at(transposed)).stride(config.stride),
            norm: if index > 0 {
                norm(transposed + 1)
            } else {
                None
            },
            has_gelu: config.gelu,
            is_outermost: index == 0,
        }
    }

    /// `[batch, width, positions]` → `[batch, width above, (positions - 1) * stride + kernel]`.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let mut y = match &self.rewrite {
            Some(rewrite) => rewrite.forward(x),
            None => x.shallow_clone(),
        };
        if let Some(residual) = &self.residual {
            y = residual.forward(y);
        }
        let y = normalized(self.norm.as_ref(), self.strided.forward_transposed(&y));
        if self.is_outermost {
            y
        } else {
            activated(y, self.has_gelu)
        }
    }
}
