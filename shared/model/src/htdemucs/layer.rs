//! One layer of the transformer: attention, then a feed-forward part.

use tch::Tensor;

use super::config::HTDemucsConfig;
use crate::hybrid::activation::{gelu, relu};
use crate::hybrid::group_norm::GroupNorm;
use crate::parameters::{Init, Scope, SpecList};

/// torch's default.
const EPSILON: f64 = 1e-5;
/// Initial scale of what a layer adds.
const LAYER_SCALE: f64 = 1e-4;

/// What queries attend to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attends {
    /// Its own branch (`MyTransformerEncoderLayer`).
    Itself,
    /// The other branch (`CrossTransformerEncoderLayer`).
    Other,
}

impl Attends {
    fn name(self) -> &'static str {
        match self {
            Self::Itself => "self_attn",
            Self::Other => "cross_attn",
        }
    }

    fn norms(self) -> usize {
        match self {
            Self::Itself => 2,
            Self::Other => 3,
        }
    }
}

/// Normalises tokens `[batch, positions, width]`.
#[derive(Debug)]
pub(super) enum TokenNorm {
    /// Each on its own.
    Layer { weight: Tensor, bias: Tensor },
    /// All of an item together (`MyGroupNorm`).
    Group(GroupNorm),
}

impl TokenNorm {
    pub(super) fn specs(list: &mut SpecList, prefix: &str, width: usize) {
        GroupNorm::specs(list, prefix, width);
    }

    pub(super) fn new(scope: &Scope<'_>, is_group: bool) -> Self {
        if is_group {
            Self::Group(GroupNorm::new(scope, 1))
        } else {
            Self::Layer {
                weight: scope.tensor("weight"),
                bias: scope.tensor("bias"),
            }
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Layer { weight, bias } => {
                x.layer_norm(weight.size(), Some(weight), Some(bias), EPSILON, true)
            }
            Self::Group(norm) => norm.forward_tokens(x),
        }
    }
}

/// Weight and bias of a linear layer, or of a 1x1 convolution as one.
#[derive(Debug)]
pub(super) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        Self {
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        // Here, not once at the start: a view made before training begins gets no gradient.
        x.linear(&self.weight.flatten(1, -1), Some(&self.bias))
    }
}

/// Attention and feed-forward part, each added to what came in.
#[derive(Debug)]
pub(super) struct Layer {
    attends: Attends,
    heads: i64,
    /// Weights of queries, keys and values, one below the other.
    input: Linear,
    output: Linear,
    expand: Linear,
    narrow: Linear,
    norms: Vec<TokenNorm>,
    norm_out: Option<TokenNorm>,
    scales: Option<[Tensor; 2]>,
    is_norm_first: bool,
    has_gelu: bool,
}

impl Layer {
    pub(super) fn specs(
        list: &mut SpecList,
        prefix: &str,
        config: &HTDemucsConfig,
        attends: Attends,
    ) {
        let width = config.transformer_channels();
        let hidden = (width as f64 * config.t_hidden_scale) as usize;
        let attention = format!("{prefix}.{}", attends.name());
        // Xavier's, for one matrix of all three; biases begin at zero.
        let bound = (6.0 / (4 * width) as f64).sqrt();
        list.push(
            format!("{attention}.in_proj_weight"),
            &[3 * width, width],
            Init::Uniform(bound),
        );
        list.push(
            format!("{attention}.in_proj_bias"),
            &[3 * width],
            Init::Constant(0.0),
        );
        list.push(
            format!("{attention}.out_proj.weight"),
            &[width, width],
            Init::Uniform(1.0 / (width as f64).sqrt()),
        );
        list.push(
            format!("{attention}.out_proj.bias"),
            &[width],
            Init::Constant(0.0),
        );
        list.linear(&format!("{prefix}.linear1"), hidden, width);
        list.linear(&format!("{prefix}.linear2"), width, hidden);
        for index in 1..=attends.norms() {
            TokenNorm::specs(list, &format!("{prefix}.norm{index}"), width);
        }
        if config.t_norm_first && config.t_norm_out {
            TokenNorm::specs(list, &format!("{prefix}.norm_out"), width);
        }
        if config.t_layer_scale {
            for part in ["gamma_1", "gamma_2"] {
                let name = format!("{prefix}.{part}.scale");
                list.push(name, &[width], Init::Constant(LAYER_SCALE));
            }
        }
    }

    pub(super) fn new(scope: &Scope<'_>, config: &HTDemucsConfig, attends: Attends) -> Self {
        let attention = scope.at(attends.name());
        let norm = |index| TokenNorm::new(&scope.at(format!("norm{index}")), config.t_group_norm);
        let has_norm_out = config.t_norm_first && config.t_norm_out;
        Self {
            attends,
            heads: config.t_heads as i64,
            input: Linear {
                weight: attention.tensor("in_proj_weight"),
                bias: attention.tensor("in_proj_bias"),
            },
            output: Linear::new(&attention.at("out_proj")),
            expand: Linear::new(&scope.at("linear1")),
            narrow: Linear::new(&scope.at("linear2")),
            norms: (1..=attends.norms()).map(norm).collect(),
            norm_out: has_norm_out.then(|| TokenNorm::new(&scope.at("norm_out"), true)),
            scales: config
                .t_layer_scale
                .then(|| ["gamma_1", "gamma_2"].map(|part| scope.at(part).tensor("scale"))),
            is_norm_first: config.t_norm_first,
            has_gelu: config.t_gelu,
        }
    }

    /// `[batch, positions, width]` and, for a layer that attends to it, the other branch → the
    /// shape of the first.
    pub(super) fn forward(&self, x: &Tensor, other: &Tensor) -> Tensor {
        let is_cross = self.attends == Attends::Other;
        if !self.is_norm_first {
            let attended = if is_cross {
                self.cross_attention(x, other)
            } else {
                self.self_attention(x)
            };
            let x = self.norms[0].forward(&self.added(x, 0, &attended));
            return self.norms[1].forward(&self.added(&x, 1, &self.feed_forward(&x)));
        }
        let queries = self.norms[0].forward(x);
        let attended = if is_cross {
            self.cross_attention(&queries, &self.norms[1].forward(other))
        } else {
            self.self_attention(&queries)
        };
        let x = self.added(x, 0, &attended);
        let last = &self.norms[self.norms.len() - 1];
        let x = self.added(&x, 1, &self.feed_forward(&last.forward(&x)));
        match &self.norm_out {
            Some(norm) => norm.forward(&x),
            None => x,
        }
    }

    fn added(&self, x: &Tensor, part: usize, y: &Tensor) -> Tensor {
        match &self.scales {
            Some(scales) => x.addcmul(&scales[part], y),
            None => x + y,
        }
    }

    fn feed_forward(&self, x: &Tensor) -> Tensor {
        let hidden = self.expand.forward(x); // [batch, positions, hidden]
        let hidden = if self.has_gelu {
            gelu(hidden)
        } else {
            relu(hidden)
        };
        self.narrow.forward(&hidden)
    }

    fn self_attention(&self, x: &Tensor) -> Tensor {
        let all = self.input.forward(x).chunk(3, -1); // 3 × [batch, positions, width]
        self.attention(&all[0], &all[1], &all[2])
    }

    fn cross_attention(&self, queries: &Tensor, keys: &Tensor) -> Tensor {
        let width = queries.size()[2];
        let part = |x: &Tensor, start, count| {
            let weight = self.input.weight.narrow(0, start, count);
            x.linear(&weight, Some(&self.input.bias.narrow(0, start, count)))
        };
        let both = part(keys, width, 2 * width).chunk(2, -1);
        self.attention(&part(queries, 0, width), &both[0], &both[1])
    }

    fn attention(&self, queries: &Tensor, keys: &Tensor, values: &Tensor) -> Tensor {
        let (batch, positions, width) = queries.size3().expect("tokens have three axes");
        // [batch, heads, positions, width / heads]
        let by_head = |x: &Tensor| {
            x.unflatten(2, [self.heads, width / self.heads])
                .transpose(1, 2)
        };
        let attended = Tensor::scaled_dot_product_attention(
            &by_head(queries),
            &by_head(keys),
            &by_head(values),
            None::<Tensor>,
            0.0,
            false,
            None,
            false,
        );
        let tokens = attended.transpose(1, 2).reshape([batch, positions, width]);
        self.output.forward(&tokens)
    }
}
