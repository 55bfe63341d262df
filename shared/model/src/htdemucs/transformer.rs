//! The transformer between encoders and decoders, in which the branches hear each other.

use tch::{Kind, Tensor};

use super::config::{HTDemucsConfig, PositionEmbedding};
use super::layer::{Attends, Layer, Linear, TokenNorm};
use super::position::{sines, sines_2d};
use crate::hybrid::unet::Branches;
use crate::parameters::{Init, Scope, SpecList};

/// Initial scale of a learned position embedding.
const EMBEDDING_SCALE: f64 = 0.2;
/// What the stored one is multiplied by.
const EMBEDDING_BOOST: f64 = 3.0;

const RESAMPLERS: [&str; 4] = [
    "channel_upsampler",
    "channel_downsampler",
    "channel_upsampler_t",
    "channel_downsampler_t",
];

/// The weights that [`CrossTransformer::new`] takes.
pub(super) fn specs(list: &mut SpecList, config: &HTDemucsConfig) {
    let (outer, inner) = (config.bottom_of_unet(), config.transformer_channels());
    if config.bottom_channels > 0 {
        for name in RESAMPLERS {
            let (outputs, inputs) = if name.contains("up") {
                (inner, outer)
            } else {
                (outer, inner)
            };
            // Built after the other convolutions are rescaled.
            let init = Init::Uniform(1.0 / (inputs as f64).sqrt());
            list.push(format!("{name}.weight"), &[outputs, inputs, 1], init);
            list.push(format!("{name}.bias"), &[outputs], init);
        }
    }
    if config.t_layers == 0 {
        return;
    }
    let prefix = "crosstransformer";
    if config.t_norm_in || config.t_norm_in_group {
        TokenNorm::specs(list, &format!("{prefix}.norm_in"), inner);
        TokenNorm::specs(list, &format!("{prefix}.norm_in_t"), inner);
    }
    if config.t_emb == PositionEmbedding::Scaled {
        list.push(
            format!("{prefix}.position_embeddings.embedding.weight"),
            &[config.t_max_positions, inner],
            Init::Normal(EMBEDDING_SCALE / EMBEDDING_BOOST),
        );
    }
    for index in 0..config.t_layers {
        for branch in ["layers", "layers_t"] {
            let prefix = format!("{prefix}.{branch}.{index}");
            Layer::specs(list, &prefix, config, attends(config, index));
        }
    }
}

/// Layers take turns.
fn attends(config: &HTDemucsConfig, index: usize) -> Attends {
    if (index % 2 == 1) == config.t_cross_first {
        Attends::Itself
    } else {
        Attends::Other
    }
}

/// Layers of self- and cross-attention, with one set of weights per branch.
#[derive(Debug)]
pub(super) struct CrossTransformer {
    /// Upsampler and downsampler of the channels, for both branches.
    resamplers: Option<[Linear; 4]>,
    norms: Option<(TokenNorm, TokenNorm)>,
    layers: Vec<(Layer, Layer)>,
    learned_positions: Option<Tensor>, // [most positions, width]
    embedding: PositionEmbedding,
    embedding_weight: f64,
    max_period: f64,
    is_cape_centred: bool,
    width: i64,
}

impl CrossTransformer {
    /// From the root of the tree.
    pub(super) fn new(root: &Scope<'_>, config: &HTDemucsConfig) -> Self {
        let scope = root.at("crosstransformer");
        let norm = |name| TokenNorm::new(&scope.at(name), !config.t_norm_in);
        let layer = |branch, index| {
            let scope = scope.at(branch).at(index);
            Layer::new(&scope, config, attends(config, index))
        };
        let is_learned = config.t_emb == PositionEmbedding::Scaled;
        Self {
            resamplers: (config.bottom_channels > 0)
                .then(|| RESAMPLERS.map(|name| Linear::new(&root.at(name)))),
            norms: (config.t_norm_in || config.t_norm_in_group)
                .then(|| (norm("norm_in"), norm("norm_in_t"))),
            layers: (0..config.t_layers)
                .map(|index| (layer("layers", index), layer("layers_t", index)))
                .collect(),
            learned_positions: is_learned.then(|| {
                let embedding = scope.at("position_embeddings").at("embedding");
                embedding.tensor("weight")
            }),
            embedding: config.t_emb,
            embedding_weight: config.t_weight_pos_embed,
            max_period: config.t_max_period,
            is_cape_centred: config.t_cape_mean_normalize,
            width: config.transformer_channels() as i64,
        }
    }

    /// `[batch, frequency, channels, time]` and `[batch, channels, time]` → the same shapes.
    pub(super) fn forward(&self, x: &Tensor, xt: &Tensor) -> Branches {
        let (batch, freqs, channels, frames) = x.size4().expect("spectrograms have four axes");
        // [batch, time * frequency, channels], frequency running faster; [batch, time, channels]
        let x = x
            .permute([0, 3, 1, 2])
            .reshape([batch, frames * freqs, channels]);
        let xt = xt.transpose(1, 2).contiguous();

        let (x, xt) = match &self.resamplers {
            Some([up, down, up_t, down_t]) => {
                let (x, xt) = self.attended(up.forward(&x), up_t.forward(&xt), freqs, frames);
                (down.forward(&x), down_t.forward(&xt))
            }
            None => self.attended(x, xt, freqs, frames),
        };
        let x = x
            .view([batch, frames, freqs, channels])
            .permute([0, 2, 3, 1])
            .contiguous();
        (x, xt.transpose(1, 2).contiguous())
    }

    fn attended(&self, x: Tensor, xt: Tensor, freqs: i64, frames: i64) -> Branches {
        let (x, xt) = match &self.norms {
            Some((norm, norm_t)) => (norm.forward(&x), norm_t.forward(&xt)),
            None => (x, xt),
        };
        let positions = sines_2d(freqs, frames, self.width, self.max_period, x.device());
        let positions_t = self.time_positions(xt.size()[1], &xt);
        // Not in place: without norms, these may still be the encoders' skips.
        let mut x = x + positions * self.embedding_weight;
        let mut xt = xt + positions_t * self.embedding_weight;
        for (layer, layer_t) in &self.layers {
            let next = layer.forward(&x, &xt);
            xt = layer_t.forward(&xt, &x);
            x = next;
        }
        (x, xt)
    }

    /// `[positions, width]`
    fn time_positions(&self, positions: i64, like: &Tensor) -> Tensor {
        let counted = || Tensor::arange(positions, (Kind::Float, like.device()));
        match (&self.learned_positions, self.embedding) {
            (Some(learned), _) => learned.narrow(0, 0, positions) * EMBEDDING_BOOST,
            (None, PositionEmbedding::Cape) if self.is_cape_centred => {
                let centre = (positions - 1) as f64 / 2.0;
                sines(&(counted() - centre), self.width, self.max_period)
            }
            (None, _) => sines(&counted(), self.width, self.max_period),
        }
    }
}
