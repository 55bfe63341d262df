//! One copy of a layer per frequency band (`MultiWrap`).
//!
//! If all copies have the same weights, the result is that of one layer over all frequencies: bands
//! overlap by what the kernel needs, and transposed convolutions add up where they meet.

use tch::Tensor;

use super::activation::gelu;
use super::decoder_layer::DecoderLayer;
use super::encoder_layer::EncoderLayer;
use super::level::LayerShape;
use crate::parameters::{Scope, SpecList};

/// The same shape for one band: the bands pad and trim for themselves.
fn without_padding(shape: &LayerShape) -> LayerShape {
    LayerShape {
        padding: 0,
        ..shape.clone()
    }
}

/// What one copy of an encoder layer sees: frequencies `start..end`, and zeros beside them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Band {
    start: i64,
    end: i64,
    pad_below: i64,
    pad_above: i64,
}

/// The bands of an encoder layer over `freqs` frequencies; `None` if one of them would be empty.
pub(crate) fn encoder_bands(
    freqs: usize,
    ratios: &[f64],
    kernel: usize,
    stride: usize,
) -> Option<Vec<Band>> {
    let (freqs, kernel, stride) = (freqs as i64, kernel as i64, stride as i64);
    let pad = kernel / 4;
    let mut bands = Vec::with_capacity(ratios.len() + 1);
    let mut start = 0;
    for ratio in ratios.iter().map(Some).chain([None]) {
        let pad_below = if start == 0 { pad } else { 0 };
        let end = match ratio {
            // Python rounds halves to even.
            Some(ratio) => {
                let limit = (freqs as f64 * ratio).round_ties_even() as i64;
                let surplus = (limit - start + pad_below - kernel) as f64;
                let outputs = (surplus / stride as f64 + 1.0).round_ties_even() as i64;
                start + (outputs - 1) * stride + kernel - pad_below
            }
            None => freqs,
        };
        let pad_above = if ratio.is_none() { pad } else { 0 };
        if end <= start || end > freqs || end - start + pad_below + pad_above < kernel {
            return None;
        }
        bands.push(Band {
            start,
            end,
            pad_below,
            pad_above,
        });
        start = end - kernel + stride;
    }
    Some(bands)
}

/// The upper ends of a decoder layer's bands over `freqs` frequencies.
pub(crate) fn decoder_ends(freqs: usize, ratios: &[f64]) -> Vec<i64> {
    let end = |ratio: &f64| (freqs as f64 * ratio).round_ties_even() as i64;
    ratios.iter().map(end).chain([freqs as i64]).collect()
}

fn copies<'a>(scope: &'a Scope<'_>, ratios: &[f64]) -> impl Iterator<Item = Scope<'a>> + use<'a> {
    (0..=ratios.len()).map(move |index| scope.at("layers").at(index))
}

/// An encoder layer, or one copy per band.
#[derive(Debug)]
pub(crate) enum SpectralEncoder {
    Whole(Box<EncoderLayer>),
    Banded {
        layers: Vec<EncoderLayer>,
        ratios: Vec<f64>,
        kernel: usize,
        stride: usize,
    },
}

impl SpectralEncoder {
    pub(crate) fn specs(list: &mut SpecList, prefix: &str, shape: &LayerShape, ratios: &[f64]) {
        if ratios.is_empty() {
            return EncoderLayer::specs(list, prefix, shape);
        }
        for band in 0..=ratios.len() {
            EncoderLayer::specs(list, &format!("{prefix}.layers.{band}"), shape);
        }
    }

    pub(crate) fn new(scope: &Scope<'_>, shape: &LayerShape, ratios: &[f64]) -> Self {
        if ratios.is_empty() {
            return Self::Whole(Box::new(EncoderLayer::new(scope, shape)));
        }
        let copy_shape = without_padding(shape);
        Self::Banded {
            layers: copies(scope, ratios)
                .map(|scope| EncoderLayer::new(&scope, &copy_shape))
                .collect(),
            ratios: ratios.to_vec(),
            kernel: shape.kernel,
            stride: shape.stride,
        }
    }

    /// As [`EncoderLayer::forward`].
    ///
    /// # Panics
    /// If a band is empty; configs are checked for that.
    pub(crate) fn forward(&self, x: &Tensor, inject: Option<&Tensor>) -> Tensor {
        let (layers, bands) = match self {
            Self::Whole(layer) => return layer.forward(x, inject),
            Self::Banded {
                layers,
                ratios,
                kernel,
                stride,
            } => (
                layers,
                encoder_bands(x.size()[1] as usize, ratios, *kernel, *stride)
                    .expect("the config has bands of one frequency and more"),
            ),
        };
        let outputs: Vec<Tensor> = layers
            .iter()
            .zip(bands)
            .map(|(layer, band)| {
                let seen = x.narrow(1, band.start, band.end - band.start);
                let seen = seen.constant_pad_nd([0, 0, 0, 0, band.pad_below, band.pad_above]);
                layer.forward(&seen, None)
            })
            .collect();
        Tensor::cat(&outputs, 1)
    }
}

/// A decoder layer, or one copy per band.
#[derive(Debug)]
pub(crate) enum SpectralDecoder {
    Whole(Box<DecoderLayer>),
    Banded {
        layers: Vec<DecoderLayer>,
        ratios: Vec<f64>,
        stride: i64,
        is_outermost: bool,
    },
}

impl SpectralDecoder {
    pub(crate) fn specs(list: &mut SpecList, prefix: &str, shape: &LayerShape, ratios: &[f64]) {
        if ratios.is_empty() {
            return DecoderLayer::specs(list, prefix, shape);
        }
        for band in 0..=ratios.len() {
            DecoderLayer::specs(list, &format!("{prefix}.layers.{band}"), shape);
        }
    }

    pub(crate) fn new(scope: &Scope<'_>, shape: &LayerShape, ratios: &[f64]) -> Self {
        if ratios.is_empty() {
            return Self::Whole(Box::new(DecoderLayer::new(scope, shape)));
        }
        let copy_shape = without_padding(shape);
        Self::Banded {
            layers: copies(scope, ratios)
                .map(|scope| DecoderLayer::new(&scope, &copy_shape))
                .collect(),
            ratios: ratios.to_vec(),
            stride: shape.stride as i64,
            is_outermost: shape.is_outermost,
        }
    }

    /// Output as of [`DecoderLayer::strided`]; beside it what went into the transposed convolution,
    /// if there is only one.
    pub(crate) fn forward(&self, x: Tensor, frames: i64) -> (Tensor, Option<Tensor>) {
        match self {
            Self::Whole(layer) => {
                let hidden = layer.before_strided(x);
                (layer.strided(&hidden, frames), Some(hidden))
            }
            Self::Banded {
                layers,
                ratios,
                stride,
                is_outermost,
            } => {
                let joined = join_bands(layers, &x, ratios, *stride);
                let output = if *is_outermost { joined } else { gelu(joined) };
                (output, None)
            }
        }
    }
}

/// `[batch, frequency, inputs, time]` → `[batch, frequency * stride, outputs, time]`.
fn join_bands(layers: &[DecoderLayer], x: &Tensor, ratios: &[f64], stride: i64) -> Tensor {
    let freqs = x.size()[1];
    let mut outputs: Vec<Tensor> = Vec::with_capacity(layers.len());
    let mut start = 0;
    for (layer, end) in layers.iter().zip(decoder_ends(freqs as usize, ratios)) {
        let hidden = layer.before_strided(x.narrow(1, start, end - start));
        let mut out = layer.untrimmed(&hidden); // [batch, (end - start + 1) * stride, outputs, time]
        if let Some(below) = outputs.pop() {
            // Both have added their bias where they overlap.
            let kept = below.size()[1] - stride;
            let overlap = out.narrow(1, 0, stride) - layer.bias().view([1, 1, -1, 1]);
            outputs.push(below.narrow(1, 0, kept));
            outputs.push(below.narrow(1, kept, stride) + overlap);
            out = out.narrow(1, stride, out.size()[1] - stride);
        }
        outputs.push(out);
        start = end;
    }
    Tensor::cat(&outputs, 1).narrow(1, stride / 2, freqs * stride)
}
