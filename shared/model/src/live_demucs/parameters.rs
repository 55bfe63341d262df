//! Names and shapes of Live Demucs' weights.
//!
//! Every convolution is stored as the matrix that it multiplies by: its windows lie in memory one
//! position after the other, channels innermost.

use super::LiveDemucsConfig;
use crate::parameters::{Init, LstmShape, ParameterSpec, SpecList};

/// Every weight of a config, in the order of the code tree.
pub(super) fn specs(config: &LiveDemucsConfig) -> Vec<ParameterSpec> {
    let mut list = SpecList::default();
    let widths = config.layer_widths();
    for (layer, &width) in widths.iter().enumerate() {
        let inputs = inputs_of(config, &widths, layer);
        let name = format!("encoder.{layer}");
        list.convolution(
            &format!("{name}.strided"),
            &[width, config.kernel_size * inputs],
        );
        list.convolution(&format!("{name}.rewrite"), &[2 * width, width]);
    }
    let deepest = widths.last().copied().unwrap_or(0);
    let shape = LstmShape {
        inputs: deepest,
        hidden: deepest,
        layers: config.lstm_layers,
        is_bidirectional: false,
    };
    list.lstm("lstm", shape);
    for (layer, &width) in widths.iter().enumerate().rev() {
        let outputs = match layer {
            0 => config.stems.len() * config.audio_channels,
            _ => widths[layer - 1],
        };
        let name = format!("decoder.{layer}");
        list.convolution(&format!("{name}.rewrite"), &[2 * width, width]);
        // Torch takes the fan-in of a transposed convolution from its outputs.
        let fan_in = config.kernel_size * outputs;
        let init = Init::Convolution(1.0 / (fan_in as f64).sqrt());
        list.push(format!("{name}.strided.weight"), &[fan_in, width], init);
        list.push(format!("{name}.strided.bias"), &[outputs], init);
    }
    list.into_specs()
}

/// Channels of what an encoder layer hears.
pub(super) fn inputs_of(config: &LiveDemucsConfig, widths: &[usize], layer: usize) -> usize {
    match layer {
        0 => config.audio_channels,
        _ => widths[layer - 1],
    }
}
