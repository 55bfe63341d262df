//! Equality with the reference package at the same weights, shown on files made by
//! `tests/golden/make_tasnet_golden.py`.
//!
//! The tolerance: both sides compute in `f32` with the same libtorch, but sum in another order.
//! Outputs have a standard deviation of 0.2: 1e-5 lies 86 dB below.

use tch::{Device, Tensor};

use super::{ConvTasNet, ConvTasNetConfig};
use crate::golden::{Golden, compare, print_head};
use crate::parameters::Parameters;
use crate::{Network, NetworkConfig, Separator, SharedWeights};

const TOLERANCE: f64 = 1e-5;

/// Every case of the script; one that is missing must not go unnoticed.
const CASES: [&str; 5] = ["global", "causal", "softmax", "batch", "mono-none"];

fn load(golden: &Golden) -> ConvTasNet {
    let config: ConvTasNetConfig = serde_json::from_str(&golden.metadata["config"]).unwrap();
    let weights = golden.tensors.iter().filter_map(|(name, tensor)| {
        let name = name.strip_prefix("weight.")?.to_owned();
        Some((name, tensor.shallow_clone()))
    });
    let weights: Parameters = weights.collect();
    ConvTasNet::from_parameters(config, weights, Device::Cpu).unwrap()
}

/// Guards each switch of the architecture, lengths that leave frames over, and normalisation per
/// item of a batch.
#[test]
fn whole_models_equal_the_reference() {
    print_head();
    let mut errors = Vec::new();
    for case in CASES {
        let golden = Golden::load(&format!("tasnet-{case}.safetensors"));
        let model = load(&golden);
        let mix = &golden.tensors["mix"];
        let output = tch::no_grad(|| model.forward(mix));
        assert_eq!(output.size()[3], mix.size()[2], "{case}");
        errors.push((case, compare(case, &output, &golden.tensors["output"])));
    }
    for (case, error) in errors {
        assert!(error < TOLERANCE, "{case}: {error}");
    }
}

/// Guards the size of the published model, without allocating it; the number is the script's.
#[test]
fn the_published_size_is_the_reference_packages() {
    let golden = Golden::load("tasnet-global.safetensors");
    let published = golden.number("published_parameters") as usize;
    println!("published Conv-TasNet: {published} parameters");
    assert_eq!(ConvTasNetConfig::default().parameter_count(), published);
}

/// Guards the order of weights, by which quantized states are given their names.
#[test]
fn weights_are_listed_in_the_order_of_the_references_modules() {
    for case in CASES {
        let golden = Golden::load(&format!("tasnet-{case}.safetensors"));
        let specs = load(&golden).config.parameter_specs();
        let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names.join(" "), golden.metadata["order"], "{case}");
    }
}

/// Guards the contract of every stream model, the reset of what is between chunks among it.
#[test]
fn it_keeps_the_stem_model_contract() {
    let config = ConvTasNetConfig {
        filters: 12,
        filter_frames: 8,
        bottleneck_channels: 6,
        hidden_channels: 10,
        blocks: 2,
        repeats: 2,
        segment_frames: 1001,
        ..ConvTasNetConfig::default()
    };
    assert_eq!(config.valid_length(1001), 1004);
    let network = NetworkConfig::ConvTasNet(config).untrained(3, Device::Cpu);
    let weights = std::sync::Arc::new(SharedWeights::new(network.unwrap()));
    for overlap in [0.25, 0.75] {
        let mut separator = Separator::new(
            std::sync::Arc::clone(&weights),
            bunri_stream::Mode::Overlap(overlap),
        )
        .unwrap();
        bunri_stream::conformance::assert_stem_model(&mut separator);
    }
}

/// Guards against a panic where the reference has one: an input shorter than a filter.
#[test]
fn short_inputs_come_out_as_long_as_they_went_in() {
    let golden = Golden::load("tasnet-global.safetensors");
    let model = load(&golden);
    for frames in [1, 7, 8, 9, 15] {
        let mix = Tensor::ones([1, 2, frames], (tch::Kind::Float, Device::Cpu));
        let output = tch::no_grad(|| model.forward(&mix));
        assert_eq!(output.size(), [1, 2, 2, frames]);
    }
}
