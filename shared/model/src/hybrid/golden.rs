//! Equality of the shared parts with the reference package at the same weights, and what the golden
//! tests of the networks made of them have in common. Files by `tests/golden/make_demucs4_golden.py`.
//!
//! The tolerance: both sides compute in `f32` with the same libtorch, but sum in another order where
//! one side spares a copy or fuses two steps. Outputs have an RMS of 0.04 to 0.2, single layers of
//! about 1. The script shuffles every weight: each that has an effect at all changes some output by
//! 2e-5 or more, most by 1e-3.

use std::collections::BTreeMap;

use tch::{Device, Tensor};

use super::bands::{SpectralDecoder, SpectralEncoder};
use super::dconv::DConv;
use super::decoder_layer::DecoderLayer;
use super::encoder_layer::EncoderLayer;
use super::shape::HybridShape;
use super::spectrum::Spectrum;
use crate::golden::{Golden, compare, path, print_head};
use crate::parameters::Scope;
use crate::{Checkpoint, NetworkConfig, Trainable};

/// Of full scale, for whole networks.
pub(crate) const TOLERANCE: f64 = 1e-5;

/// A small network of the golden files.
pub(crate) fn load(case: &str) -> Box<dyn Trainable> {
    let file = path(&format!("demucs4/{case}.model.safetensors"));
    Checkpoint::load(&file, Device::Cpu).unwrap().network
}

/// The golden file's input: consecutive stretches of one signal, each quieter than the one before.
fn input(golden: &Golden, channels: i64) -> Tensor {
    let mix = &Golden::load("input.safetensors").tensors["mix"]; // [2, frames]
    let frames = golden.number("frames");
    let items: Vec<Tensor> = (0..golden.number("batch"))
        .map(|item| {
            let stretch = mix.narrow(0, 0, channels).narrow(1, item * frames, frames);
            stretch / (1 + item) as f64
        })
        .collect();
    Tensor::stack(&items, 0)
}

/// Runs a network on a golden file's input; gives the largest difference of any sample.
pub(crate) fn error_of(case: &str, network: &dyn Trainable) -> f64 {
    let golden = Golden::load(&format!("demucs4/{case}.output.safetensors"));
    let mix = input(&golden, network.signature().channels as i64);
    let output = tch::no_grad(|| network.forward(&mix));
    compare(case, &output, &golden.tensors["output"])
}

/// Holds every case against the reference, and says all errors before it fails.
pub(crate) fn assert_cases_equal_the_reference(cases: &[&str]) {
    print_head();
    let errors: Vec<(&str, f64)> = cases
        .iter()
        .map(|case| (*case, error_of(case, &*load(case))))
        .collect();
    for (case, error) in errors {
        assert!(error < TOLERANCE, "{case}: {error}");
    }
}

/// Holds outputs of single parts against `demucs4/layers.safetensors`.
pub(crate) fn assert_parts_equal_the_reference(golden: &Golden, parts: &[(&str, Tensor)]) {
    print_head();
    let errors: Vec<f64> = parts
        .iter()
        .map(|(name, ours)| compare(name, ours, &golden.tensors[&format!("{name}.output")]))
        .collect();
    for ((name, _), error) in parts.iter().zip(errors) {
        assert!(error < TOLERANCE, "{name}: {error}");
    }
}

pub(crate) fn layers() -> Golden {
    Golden::load("demucs4/layers.safetensors")
}

/// Between the reference's layout, channels before frequency, and the one here.
pub(crate) fn swapped(x: &Tensor) -> Tensor {
    x.transpose(1, 2)
}

fn shape_of(network: &dyn Trainable) -> HybridShape {
    match network.config() {
        NetworkConfig::HDemucs(config) => config.shape(),
        NetworkConfig::HTDemucs(config) => config.shape(),
        other => panic!("not hybrid: {other:?}"),
    }
}

/// Guards the parts one by one, so that a difference in a whole network names its layer; the long
/// input of the residual branch is one that its LSTM sees in frames.
#[test]
fn single_layers_equal_the_reference() {
    let golden = layers();
    let part = |name: &str| &golden.tensors[name];
    let hybrid = load("hdemucs");
    let levels = shape_of(&*hybrid).levels();
    let encoder = Scope::root(hybrid.parameters()).at("encoder").at(3);
    let body = levels[3].encoder.body.as_ref().unwrap();
    let dconv = DConv::new(&encoder.at("dconv"), body.dconv.unwrap());

    let transformer = load("htdemucs");
    let root = Scope::root(transformer.parameters());
    let levels = shape_of(&*transformer).levels();
    let (time_encoder, _) = levels[0].time.as_ref().unwrap();
    let (_, time_decoder) = levels[1].time.as_ref().unwrap();
    let spectral_encoder = SpectralEncoder::new(&root.at("encoder").at(0), &levels[0].encoder, &[]);
    let time_encoder = EncoderLayer::new(&root.at("tencoder").at(0), time_encoder);
    let spectral_decoder = SpectralDecoder::new(&root.at("decoder").at(1), &levels[1].decoder, &[]);
    let time_decoder = DecoderLayer::new(&root.at("tdecoder").at(1), time_decoder);
    let sum = |name: &str| part(&format!("{name}.input0")) + part(&format!("{name}.input1"));

    let outputs = tch::no_grad(|| {
        [
            (
                "dconv.short",
                dconv.forward(part("dconv.short.input0").copy()),
            ),
            (
                "dconv.long",
                dconv.forward(part("dconv.long.input0").copy()),
            ),
            (
                "encoder.spectral",
                swapped(&spectral_encoder.forward(&swapped(part("encoder.spectral.input0")), None)),
            ),
            (
                "encoder.time",
                time_encoder.forward(part("encoder.time.input0"), None),
            ),
            (
                "decoder.spectral",
                swapped(
                    &spectral_decoder
                        .forward(swapped(&sum("decoder.spectral")), 0)
                        .0,
                ),
            ),
            (
                "decoder.time",
                time_decoder.strided(&time_decoder.before_strided(sum("decoder.time")), 78),
            ),
        ]
    });
    assert_parts_equal_the_reference(&golden, &outputs);
}

/// Guards the frames that are kept, padding of inputs too short to be reflected, and the older
/// models' padding.
#[test]
fn spectra_and_their_inverses_equal_the_reference() {
    let golden = layers();
    let mut outputs = Vec::new();
    let names: Vec<(String, String, bool, i64)> = [("new", false), ("old", true)]
        .into_iter()
        .flat_map(|(age, is_old)| {
            [600, 64, 50].map(|frames| {
                let name = format!("{age}.{frames}");
                (
                    format!("spectrum.{name}"),
                    format!("inverse.{name}"),
                    is_old,
                    frames,
                )
            })
        })
        .collect();
    for (spectrum_name, inverse_name, is_old, frames) in &names {
        let spectrum = Spectrum::new(256, *is_old, Device::Cpu);
        let input = |name: &str| &golden.tensors[&format!("{name}.input0")];
        outputs.push((
            spectrum_name.as_str(),
            swapped(&spectrum.forward(input(spectrum_name))),
        ));
        outputs.push((
            inverse_name.as_str(),
            spectrum.inverse(&swapped(input(inverse_name)), *frames),
        ));
    }
    assert_eq!(outputs.len(), 12);
    assert_parts_equal_the_reference(&golden, &outputs);
}

/// Guards steps that are done in place only where no gradient is recorded, and views of weights made
/// before training begins: training must see the network that the golden files are of, and reach
/// every weight of it.
#[test]
fn networks_in_training_are_those_of_the_golden_files() {
    print_head();
    for case in ["htdemucs", "hdemucs-bands", "demucs-v3"] {
        let network = load(case);
        let golden = Golden::load(&format!("demucs4/{case}.output.safetensors"));
        for tensor in network.parameters().values() {
            let _ = tensor.set_requires_grad(true);
        }
        let output = network.forward(&input(&golden, 2));
        let error = compare(case, &output.detach(), &golden.tensors["output"]);
        assert!(error < TOLERANCE, "{case}: {error}");
        output.square().sum(tch::Kind::Float).backward();
        for (name, tensor) in network.parameters() {
            let gradient = tensor.grad();
            assert!(gradient.defined(), "{case}: {name} is out of reach");
            let sum = gradient.abs().sum(tch::Kind::Float).double_value(&[]);
            assert!(sum.is_finite(), "{case}: {name} has gradient {sum}");
        }
    }
}

#[derive(serde::Deserialize)]
struct Count {
    config: NetworkConfig,
    parameters: usize,
}

#[derive(serde::Deserialize)]
struct Numbers {
    parameter_counts: BTreeMap<String, Count>,
}

/// Guards sizes, without allocating any: a layer too many or too few shows here first.
#[test]
fn published_sizes_equal_the_reference() {
    let json = std::fs::read(path("demucs4/numbers.json")).unwrap();
    let counts = serde_json::from_slice::<Numbers>(&json)
        .unwrap()
        .parameter_counts;
    for (name, Count { config, parameters }) in &counts {
        println!("{name:<24} {parameters:>11}");
        config.validate().unwrap();
        assert_eq!(config.parameter_count(), *parameters, "{name}");
    }
    for (name, published) in [
        ("htdemucs, 4 stems", 41_984_456),
        ("htdemucs, 6 stems", 27_414_996),
        ("hdemucs", 83_637_832),
        ("demucs v3, 64 channels", 133_753_064),
    ] {
        assert_eq!(counts[name].parameters, published, "{name}");
    }
}
