//! Attention with a learned penalty for distance instead of a position embedding.

use tch::{Kind, Tensor};

use super::convolution::Convolution;
use crate::parameters::{Init, Scope, SpecList};

/// Heads; channels must be a multiple.
pub(crate) const HEADS: usize = 4;
/// Penalties per head, each steeper than the one before.
const DECAYS: usize = 4;

/// `LocalState` of the reference, without its frequency part, which no model uses.
#[derive(Debug)]
pub(crate) struct LocalState {
    content: Convolution,
    query: Convolution,
    key: Convolution,
    query_decay: Convolution,
    projection: Convolution,
}

impl LocalState {
    pub(crate) fn specs(list: &mut SpecList, prefix: &str, channels: usize) {
        let square = |list: &mut SpecList, part: &str| {
            list.convolution(&format!("{prefix}.{part}"), &[channels, channels, 1]);
        };
        for part in ["content", "query", "key"] {
            square(list, part);
        }
        // Nearly constant at first, and so wide that everything is heard.
        let bound = 0.01 / (channels as f64).sqrt();
        list.push(
            format!("{prefix}.query_decay.weight"),
            &[HEADS * DECAYS, channels, 1],
            Init::Convolution(bound),
        );
        list.push(
            format!("{prefix}.query_decay.bias"),
            &[HEADS * DECAYS],
            Init::Constant(-2.0),
        );
        square(list, "proj");
    }

    pub(crate) fn new(scope: &Scope<'_>) -> Self {
        let part = |name: &str| Convolution::new(&scope.at(name));
        Self {
            content: part("content"),
            query: part("query"),
            key: part("key"),
            query_decay: part("query_decay"),
            projection: part("proj"),
        }
    }

    /// `[batch, channels, positions]` → the same shape. Needs memory for
    /// `batch * 4 * positions²` values.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, channels, positions) = x.size3().expect("hidden audio has three axes");
        let (heads, decays) = (HEADS as i64, DECAYS as i64);
        // [batch, heads, features, positions]
        let by_head = |part: &Convolution| part.forward(x).view([batch, heads, -1, positions]);
        let index = Tensor::arange(positions, (x.kind(), x.device()));
        let distance = (index.unsqueeze(1) - &index).abs(); // [positions, positions]

        let head_width = (channels / heads) as f64;
        let queries = (by_head(&self.query) / head_width.sqrt()).transpose(2, 3);
        let scores = queries.matmul(&by_head(&self.key)); // [batch, heads, queries, keys]
        // All penalties are proportional to the distance, so they add up to one slope per query.
        let steepness = Tensor::arange_start(1, decays + 1, (x.kind(), x.device())).view([-1, 1]);
        let slope = (by_head(&self.query_decay).sigmoid() * steepness).sum_dim_intlist(
            2,
            false,
            None::<Kind>,
        ) / (2.0 * (decays as f64).sqrt()); // [batch, heads, queries]
        let itself = Tensor::eye(positions, (Kind::Bool, x.device()));
        let weights = (scores - slope.unsqueeze(3) * distance)
            .masked_fill(&itself, -100.0)
            .softmax(-1, None::<Kind>);

        let result = by_head(&self.content) // [batch, heads, features, keys]
            .matmul(&weights.transpose(2, 3)) // [batch, heads, features, queries]
            .reshape([batch, channels, positions]);
        self.projection.forward(&result) + x
    }
}
