//! What all discriminators are made of: weight-normalised convolutions and a score at the end.
//!
//! Weight normalisation (Salimans & Kingma 2016) as in MelGAN, HiFi-GAN and EnCodec: it is made of
//! elementary operations, so a gradient penalty can be differentiated through it, and it needs no
//! state beside the weights, as the power iteration of spectral normalisation would. What bounds
//! the discriminators' slope are the penalties, not the normalisation.

use tch::{Kind, Tensor};

/// First values of a tensor.
#[derive(Debug)]
pub(super) enum Init {
    /// Uniform within ± this.
    Uniform(f64),
    /// Zeros.
    Zero,
    /// The length of every filter of these weights, so that a normalised convolution starts as
    /// the plain one.
    LengthsOf(Tensor),
}

/// Gives a tensor by its name: makes it, or looks it up.
pub(super) type Source<'a> = dyn FnMut(&str, &[i64], Init) -> Tensor + 'a;

/// Sizes of one convolution over one or two axes.
#[derive(Clone, Debug)]
pub(super) struct ConvolutionShape {
    pub(super) inputs: i64,
    pub(super) outputs: i64,
    pub(super) kernel: Vec<i64>,
    pub(super) stride: Vec<i64>,
    pub(super) dilation: Vec<i64>,
    pub(super) groups: i64,
}

/// A convolution that keeps the length, but for its stride.
#[derive(Debug)]
struct Convolution {
    direction: Tensor, // [outputs, inputs / groups, kernel ..]
    length: Tensor,    // [outputs, 1, 1 ..]
    bias: Tensor,      // [outputs]
    shape: ConvolutionShape,
}

impl Convolution {
    fn new(source: &mut Source<'_>, path: &str, shape: ConvolutionShape) -> Self {
        let fan_in = shape.inputs / shape.groups * shape.kernel.iter().product::<i64>();
        // torch's default for convolutions.
        let bound = 1.0 / (fan_in as f64).sqrt();
        let sizes = [
            &[shape.outputs, shape.inputs / shape.groups],
            &shape.kernel[..],
        ]
        .concat();
        let direction = source(&format!("{path}.direction"), &sizes, Init::Uniform(bound));
        let mut ones = vec![1; sizes.len()];
        ones[0] = shape.outputs;
        let init = Init::LengthsOf(direction.detach());
        Self {
            length: source(&format!("{path}.length"), &ones, init),
            bias: source(
                &format!("{path}.bias"),
                &[shape.outputs],
                Init::Uniform(bound),
            ),
            direction,
            shape,
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let weight = &self.direction * (&self.length / filter_lengths(&self.direction));
        let ConvolutionShape {
            kernel,
            stride,
            dilation,
            groups,
            ..
        } = &self.shape;
        let padding: Vec<i64> = (kernel.iter().zip(dilation))
            .map(|(kernel, dilation)| (kernel - 1) * dilation / 2)
            .collect();
        let none = vec![0; kernel.len()];
        x.convolution(
            &weight,
            Some(&self.bias),
            &stride[..],
            &padding[..],
            &dilation[..],
            false,
            &none[..],
            *groups,
        )
    }
}

/// Euclidean length of every filter: `[outputs, ..]` → `[outputs, 1, ..]`.
pub(super) fn filter_lengths(weight: &Tensor) -> Tensor {
    let axes: Vec<i64> = (1..weight.dim() as i64).collect();
    weight
        .square()
        .sum_dim_intlist(&axes[..], true, None::<Kind>)
        .sqrt()
}

/// Slope 11/48 below zero. libtorch's `rrelu` is that outside of training, and the one way through
/// tch to a leaky ReLU that is steeper than 0.01: done in one pass, differentiable twice.
fn leaky_relu(x: &Tensor) -> Tensor {
    x.rrelu(false)
}

/// Which stem is judged, told to one stack of convolutions.
///
/// One set of filters serves all stems: what a processed sound gives away is much the same for
/// each, the cost is one stem's, and filters that see every stem's examples overfit later than
/// filters of a stem's own. What differs is learned as an offset after the first layer and a
/// direction of the last layer's features that counts for this stem (the projection of Miyato &
/// Koyama 2018).
#[derive(Debug)]
struct StemIdentity {
    offset: Tensor,     // [stems, channels of the first layer]
    projection: Tensor, // [stems, channels of the last layer]
}

/// Convolutions, each followed by a leaky ReLU, and one more that gives the scores.
#[derive(Debug)]
pub(super) struct Stack {
    layers: Vec<Convolution>,
    score: Convolution,
    identity: Option<StemIdentity>,
}

/// What a stack says about every row of its input.
#[derive(Debug)]
pub(super) struct Verdict {
    /// One score per place that was looked at: `[rows, places]`; higher is more like a record.
    pub(super) scores: Tensor,
    /// What each layer gave: `[rows, channels, ..]`.
    pub(super) features: Vec<Tensor>,
}

impl Stack {
    /// `shapes` in order, the last of them gives the scores; `stems` 0 where none is singled out.
    pub(super) fn new(
        source: &mut Source<'_>,
        path: &str,
        mut shapes: Vec<ConvolutionShape>,
        stems: i64,
    ) -> Self {
        let first = shapes.first().map_or(0, |shape| shape.outputs);
        let last = shapes.last().map_or(0, |shape| shape.inputs);
        let score = shapes
            .pop()
            .map(|shape| Convolution::new(source, &format!("{path}.score"), shape))
            .expect("every stack ends in a score");
        let layers = shapes.into_iter().enumerate();
        Self {
            layers: layers
                .map(|(i, shape)| Convolution::new(source, &format!("{path}.{i}"), shape))
                .collect(),
            score,
            identity: (stems > 0).then(|| StemIdentity {
                offset: source(&format!("{path}.stem.offset"), &[stems, first], Init::Zero),
                projection: source(
                    &format!("{path}.stem.projection"),
                    &[stems, last],
                    Init::Zero,
                ),
            }),
        }
    }

    /// `[rows, inputs, ..]` and each row's stem, `[rows]`, where stems are told apart.
    pub(super) fn forward(&self, x: &Tensor, stem: Option<&Tensor>) -> Verdict {
        let rows = x.size()[0];
        // The chosen stem's vector per row, shaped to be added to or multiplied with `like`.
        let chosen = |table: &Tensor, stem: &Tensor, like: &Tensor| {
            let mut shape = vec![1; like.dim()];
            (shape[0], shape[1]) = (rows, -1);
            table.index_select(0, stem).view(&shape[..])
        };
        let told = self.identity.as_ref().zip(stem);
        let mut features = Vec::with_capacity(self.layers.len());
        let mut hidden = x.shallow_clone();
        for (index, layer) in self.layers.iter().enumerate() {
            hidden = layer.forward(&hidden);
            if let Some((identity, stem)) = told.filter(|_| index == 0) {
                hidden = &hidden + chosen(&identity.offset, stem, &hidden);
            }
            hidden = leaky_relu(&hidden);
            features.push(hidden.shallow_clone());
        }
        let mut scores = self.score.forward(&hidden); // [rows, 1, ..]
        if let Some((identity, stem)) = told {
            let projected = chosen(&identity.projection, stem, &hidden) * &hidden;
            scores += projected.sum_dim_intlist(1, true, None::<Kind>);
        }
        Verdict {
            scores: scores.reshape([rows, -1]),
            features,
        }
    }
}
