//! Equality with the reference package at the same weights, shown on files made by
//! `tests/golden/make_golden.py`. Inside the crate, because single layers are compared as well.
//!
//! The tolerance: both sides compute in `f32` with the same libtorch, but may sum in another order
//! on another processor. Signals have an RMS of 0.07 to 1.2, so 1e-5 lies 77 dB and more below them.
//! The quietest part of any output, what the LSTM adds to it, lies at 0.007.

use std::collections::BTreeMap;

use tch::{Device, Tensor};

use super::resample::Resampler;
use super::{Demucs, DemucsConfig};
use crate::golden::{Golden, compare, path, print_head};
use crate::{Checkpoint, Network, NetworkConfig};

const TOLERANCE: f64 = 1e-5;

/// Every case of the script; one that is missing must not go unnoticed.
const CASES: [&str; 8] = [
    "v1",
    "v1-left-over",
    "v2",
    "v2-normalize",
    "mono-context-1",
    "relu-kernel-5",
    "no-rewrite-no-lstm",
    "batch-normalize",
];

fn load_model(file: &str) -> Demucs {
    let network = Checkpoint::load(&path(file), Device::Cpu).unwrap().network;
    let NetworkConfig::Demucs(config) = network.config() else {
        panic!("{file} holds another architecture");
    };
    let parameters = network.parameters().iter();
    let parameters = parameters.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
    Demucs::from_parameters(config, parameters.collect(), Device::Cpu).unwrap()
}

/// Guards each switch of the architecture, skips and their trimming, normalisation per item.
#[test]
fn whole_models_equal_the_reference() {
    let input = Golden::load("input.safetensors")
        .tensors
        .remove("mix")
        .unwrap(); // [2, frames]
    print_head();
    let mut errors = Vec::new();
    for case in CASES {
        let golden = Golden::load(&format!("{case}.output.safetensors"));
        // Cases share weights: the config is the case's own.
        let config: DemucsConfig = serde_json::from_str(&golden.metadata["config"]).unwrap();
        let parameters = load_model(&golden.metadata["weights"]).parameters;
        let channels = config.audio_channels as i64;
        let model = Demucs::from_parameters(config, parameters, Device::Cpu).unwrap();
        let frames = golden.number("frames");
        let items: Vec<Tensor> = (0..golden.number("batch"))
            .map(|item| {
                let stretch = input
                    .narrow(0, 0, channels)
                    .narrow(1, item * frames, frames);
                stretch / (1 + item) as f64
            })
            .collect();
        let output = tch::no_grad(|| model.forward(&Tensor::stack(&items, 0)));
        assert_eq!(
            output.size()[3],
            model.config.output_frames(frames as usize) as i64,
            "{case}"
        );
        errors.push((case, compare(case, &output, &golden.tensors["output"])));
    }
    for (case, error) in errors {
        assert!(error < TOLERANCE, "{case}: {error}");
    }
}

/// Guards the parts one by one, so that a difference in a whole model names its layer.
#[test]
fn single_layers_equal_the_reference() {
    let golden = Golden::load("layers.safetensors");
    let part = |name: &str| &golden.tensors[name];
    let model = load_model(&golden.metadata["weights"]);
    let resampler = Resampler::new(Device::Cpu);
    let (first, last) = (&model.decoder[0], &model.decoder[model.decoder.len() - 1]);
    let lstm = model.lstm.as_ref().unwrap();
    let layers = tch::no_grad(|| {
        [
            (
                "encoder.first.output",
                model.encoder[0].forward(part("encoder.first.input")),
            ),
            ("lstm.output", lstm.forward(part("lstm.input"))),
            (
                "decoder.first.output",
                first.forward(part("decoder.first.input")),
            ),
            (
                "decoder.last.output",
                last.forward(part("decoder.last.input")),
            ),
            ("resample.up", resampler.up(part("resample.input"))),
            ("resample.down", resampler.down(part("resample.input"))),
        ]
    });
    print_head();
    let errors = layers.map(|(name, ours)| (name, compare(name, &ours, part(name))));
    for (name, error) in errors {
        assert!(error < TOLERANCE, "{name}: {error}");
    }
}

/// The script's numbers for one config.
#[derive(serde::Deserialize)]
struct Lengths {
    config: DemucsConfig,
    /// Frames asked for, the valid length for them, frames that then come out.
    rows: Vec<(usize, usize, usize)>,
}

#[derive(serde::Deserialize)]
struct Count {
    config: DemucsConfig,
    parameters: usize,
}

#[derive(serde::Deserialize)]
struct Numbers {
    lengths: BTreeMap<String, Lengths>,
    parameter_counts: BTreeMap<String, Count>,
}

fn numbers() -> Numbers {
    serde_json::from_slice(&std::fs::read(path("numbers.json")).unwrap()).unwrap()
}

/// Guards chunk lengths: one frame off, and stems slip against the mixture at every chunk.
#[test]
fn lengths_equal_the_reference() {
    let mut compared = 0;
    for (name, Lengths { config, rows }) in numbers().lengths {
        for (frames, valid, output) in rows {
            assert_eq!(
                config.valid_length(frames),
                valid,
                "{name}: {frames} frames"
            );
            assert_eq!(
                config.output_frames(valid),
                output,
                "{name}: {valid} frames"
            );
            compared += 1;
        }
    }
    println!("{compared} lengths equal");
    assert!(compared >= 100, "only {compared} lengths in the file");
}

/// Guards sizes, without allocating any: a layer too many or too few shows here first.
#[test]
fn parameter_counts_equal_the_reference() {
    let counts = numbers().parameter_counts;
    for (name, Count { config, parameters }) in &counts {
        println!("{name:<20} {parameters:>11}");
        assert_eq!(config.parameter_count(), *parameters, "{name}");
    }
    for (name, published) in [
        ("v1, 100 channels", 648_548_208),
        ("v1, 64 channels", 265_679_496),
        ("v2, 64 channels", 265_679_496),
        ("v2, 48 channels", 149_462_504),
    ] {
        assert_eq!(counts[name].parameters, published, "{name}");
    }
}
