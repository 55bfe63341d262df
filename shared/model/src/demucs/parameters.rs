//! Names, shapes and initial values of every parameter, known before anything is allocated.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::DemucsConfig;

/// One tensor of the model: its name is its path in the code and in a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// E.g. `encoder.0.2.weight`, as in the reference package.
    pub name: String,
    /// Shape as in torch: convolutions `[out, in, kernel]`, transposed ones `[in, out, kernel]`.
    pub shape: Vec<i64>,
    /// Initial values are uniform within ± this (torch's defaults).
    bound: f64,
    /// Part of a convolution, to be rescaled together with the other tensor of its layer.
    is_convolution: bool,
}

/// Every parameter of a config, in the order of the code tree.
pub(super) fn parameter_specs(config: &DemucsConfig) -> Vec<ParameterSpec> {
    let mut specs = Vec::new();
    let mut pair = |prefix: String, shape: [usize; 3], outputs: usize, fan_in: usize| {
        let bound = 1.0 / (fan_in as f64).sqrt();
        let shape = shape.map(|n| n as i64).to_vec();
        for (suffix, shape) in [("weight", shape), ("bias", vec![outputs as i64])] {
            let name = format!("{prefix}.{suffix}");
            specs.push(ParameterSpec {
                name,
                shape,
                bound,
                is_convolution: true,
            });
        }
    };
    let widths = config.layer_widths();
    let gate = if config.glu { 2 } else { 1 };
    let (kernel, context) = (config.kernel_size, config.context);
    for (layer, &width) in widths.iter().enumerate() {
        let inputs = if layer == 0 {
            config.audio_channels
        } else {
            widths[layer - 1]
        };
        pair(
            format!("encoder.{layer}.0"),
            [width, inputs, kernel],
            width,
            inputs * kernel,
        );
        if config.rewrite {
            pair(
                format!("encoder.{layer}.2"),
                [gate * width, width, 1],
                gate * width,
                width,
            );
        }
    }
    for (layer, &width) in widths.iter().rev().enumerate() {
        let outputs = match config.depth - 1 - layer {
            0 => config.stems.len() * config.audio_channels,
            encoder_layer => widths[encoder_layer - 1],
        };
        if config.rewrite {
            let shape = [gate * width, width, context];
            pair(
                format!("decoder.{layer}.0"),
                shape,
                gate * width,
                width * context,
            );
        }
        let name = format!("decoder.{layer}.{}", transposed_index(config));
        // torch takes a transposed convolution's fan-in from its second axis.
        pair(name, [width, outputs, kernel], outputs, outputs * kernel);
    }
    let hidden = widths.last().copied().unwrap_or(0);
    lstm_specs(hidden as i64, config.lstm_layers, &mut specs);
    specs
}

/// Index of the transposed convolution within a decoder layer.
pub(super) fn transposed_index(config: &DemucsConfig) -> usize {
    if config.rewrite { 2 } else { 0 }
}

fn lstm_specs(hidden: i64, layers: usize, specs: &mut Vec<ParameterSpec>) {
    if layers == 0 {
        return;
    }
    let mut push = |name: String, shape: Vec<i64>, fan: i64| {
        let bound = 1.0 / (fan as f64).sqrt();
        specs.push(ParameterSpec {
            name,
            shape,
            bound,
            is_convolution: false,
        });
    };
    for name in lstm_names(layers) {
        let inputs = if name.contains("_l0") {
            hidden
        } else {
            2 * hidden
        };
        let shape = match &name {
            n if n.contains("weight_ih") => vec![4 * hidden, inputs],
            n if n.contains("weight_hh") => vec![4 * hidden, hidden],
            _ => vec![4 * hidden],
        };
        push(name, shape, hidden);
    }
    push(
        "lstm.linear.weight".into(),
        vec![hidden, 2 * hidden],
        2 * hidden,
    );
    push("lstm.linear.bias".into(), vec![hidden], 2 * hidden);
}

/// The LSTM's tensors in the order in which torch wants them.
pub(super) fn lstm_names(layers: usize) -> Vec<String> {
    let mut names = Vec::new();
    for layer in 0..layers {
        for direction in ["", "_reverse"] {
            for kind in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
                names.push(format!("lstm.lstm.{kind}_l{layer}{direction}"));
            }
        }
    }
    names
}

/// Draws initial values from torch's global generator (seed it with [`tch::manual_seed`]).
///
/// Convolutions are rescaled as in the reference: weight and bias divided by
/// `sqrt(std(weight) / rescale)`.
pub(super) fn initial_parameters(config: &DemucsConfig) -> BTreeMap<String, Tensor> {
    let specs = parameter_specs(config);
    let mut parameters = BTreeMap::new();
    for spec in &specs {
        let values = Tensor::empty(&spec.shape[..], (Kind::Float, Device::Cpu));
        parameters.insert(spec.name.clone(), values.uniform(-spec.bound, spec.bound));
    }
    if config.rescale > 0.0 {
        for weight in specs
            .iter()
            .filter(|s| s.is_convolution && s.name.ends_with("weight"))
        {
            let scale = (parameters[&weight.name].std(true) / config.rescale).sqrt();
            for name in [weight.name.clone(), weight.name.replace("weight", "bias")] {
                let rescaled = &parameters[&name] / &scale;
                parameters.insert(name, rescaled);
            }
        }
    }
    parameters
}
