//! Names and shapes of Demucs' weights, as in the reference package.

use super::DemucsConfig;
use crate::parameters::{LstmShape, ParameterSpec, SpecList};

/// Every weight of a config, in the order of the code tree.
pub(super) fn specs(config: &DemucsConfig) -> Vec<ParameterSpec> {
    let mut list = SpecList::default();
    let widths = config.layer_widths();
    let gate = if config.glu { 2 } else { 1 };
    let (kernel, context) = (config.kernel_size, config.context);
    for (layer, &width) in widths.iter().enumerate() {
        let inputs = match layer {
            0 => config.audio_channels,
            _ => widths[layer - 1],
        };
        list.convolution(&format!("encoder.{layer}.0"), &[width, inputs, kernel]);
        if config.rewrite {
            list.convolution(&format!("encoder.{layer}.2"), &[gate * width, width, 1]);
        }
    }
    for (layer, &width) in widths.iter().rev().enumerate() {
        let outputs = match config.depth - 1 - layer {
            0 => config.stems.len() * config.audio_channels,
            encoder_layer => widths[encoder_layer - 1],
        };
        if config.rewrite {
            list.convolution(
                &format!("decoder.{layer}.0"),
                &[gate * width, width, context],
            );
        }
        let name = format!("decoder.{layer}.{}", transposed_index(config));
        list.transposed_convolution(&name, &[width, outputs, kernel]);
    }
    if config.lstm_layers > 0 {
        let hidden = widths.last().copied().unwrap_or(0);
        let shape = LstmShape {
            inputs: hidden,
            hidden,
            layers: config.lstm_layers,
            is_bidirectional: true,
        };
        list.lstm("lstm.lstm", shape);
        list.linear("lstm.linear", hidden, 2 * hidden);
    }
    list.into_specs()
}

/// Index of the transposed convolution within a decoder layer.
pub(super) fn transposed_index(config: &DemucsConfig) -> usize {
    if config.rewrite { 2 } else { 0 }
}
