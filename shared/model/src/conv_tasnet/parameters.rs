//! Names and shapes of Conv-TasNet's weights, as in the reference package.

use super::{ConvTasNetConfig, config::Norm};
use crate::parameters::{Init, ParameterSpec, SpecList};

/// Every weight of a config, in the order of the code tree.
pub(super) fn specs(config: &ConvTasNetConfig) -> Vec<ParameterSpec> {
    let ConvTasNetConfig {
        audio_channels,
        filters,
        filter_frames,
        bottleneck_channels,
        hidden_channels,
        ..
    } = *config;
    let mut list = SpecList::default();
    let shape = [filters, audio_channels, filter_frames];
    weight(&mut list, "encoder.conv1d_U", &shape);
    norm(&mut list, "separator.network.0", filters);
    weight(
        &mut list,
        "separator.network.1",
        &[bottleneck_channels, filters, 1],
    );
    for repeat in 0..config.repeats {
        for block in 0..config.blocks {
            let net = format!("separator.network.2.{repeat}.{block}.net");
            let shape = [hidden_channels, bottleneck_channels, 1];
            weight(&mut list, &format!("{net}.0"), &shape);
            prelu(&mut list, &format!("{net}.1"));
            if config.norm != Norm::None {
                norm(&mut list, &format!("{net}.2"), hidden_channels);
            }
            let net = format!("{net}.3.net");
            let shape = [hidden_channels, 1, config.kernel_size];
            weight(&mut list, &format!("{net}.0"), &shape);
            let first = activation_index(config);
            prelu(&mut list, &format!("{net}.{first}"));
            if config.norm != Norm::None {
                norm(&mut list, &format!("{net}.{}", first + 1), hidden_channels);
            }
            let shape = [bottleneck_channels, hidden_channels, 1];
            weight(&mut list, &format!("{net}.{}", first + 2), &shape);
        }
    }
    let masks = config.stems.len() * filters;
    weight(
        &mut list,
        "separator.network.3",
        &[masks, bottleneck_channels, 1],
    );
    let shape = [audio_channels * filter_frames, filters];
    weight(&mut list, "decoder.basis_signals", &shape);
    list.into_specs()
}

/// Index of the activation after the convolution over time: causal blocks first cut the future off.
pub(super) fn activation_index(config: &ConvTasNetConfig) -> usize {
    if config.causal { 2 } else { 1 }
}

/// A weight without bias, drawn as the reference draws all that have two axes and more: Glorot &
/// Bengio (2010), normal.
fn weight(list: &mut SpecList, prefix: &str, shape: &[usize]) {
    glorot(list, format!("{prefix}.weight"), shape);
}

/// Gain and offset of each channel. Both have three axes in the reference, so it draws them too.
fn norm(list: &mut SpecList, prefix: &str, channels: usize) {
    glorot(list, format!("{prefix}.gamma"), &[1, channels, 1]);
    glorot(list, format!("{prefix}.beta"), &[1, channels, 1]);
}

fn prelu(list: &mut SpecList, prefix: &str) {
    list.push(format!("{prefix}.weight"), &[1], Init::Constant(0.25));
}

fn glorot(list: &mut SpecList, name: String, shape: &[usize]) {
    let field: usize = shape[2..].iter().product();
    let fans = (shape[0] + shape[1]) * field;
    let init = Init::Normal((2.0 / fans as f64).sqrt());
    list.push(name, shape, init);
}
