//! Equality with the reference package at the same weights; see [`crate::hybrid::golden`].

use super::HTDemucsConfig;
use super::layer::{Attends, Layer};
use super::transformer::CrossTransformer;
use crate::NetworkConfig;
use crate::hybrid::golden::{
    assert_cases_equal_the_reference, assert_parts_equal_the_reference, layers, load, swapped,
};
use crate::parameters::Scope;

/// Guards each switch of the architecture: both published sizes, padding of short inputs, every
/// position embedding and place of a normalisation, no transformer at all.
#[test]
fn whole_models_equal_the_reference() {
    assert_cases_equal_the_reference(&[
        "htdemucs",
        "htdemucs-six",
        "htdemucs-options",
        "htdemucs-scaled",
        "htdemucs-no-transformer",
    ]);
}

/// Guards attention to itself and to the other branch, the order of tokens and their positions.
#[test]
fn transformer_layers_equal_the_reference() {
    let golden = layers();
    let part = |name: &str| &golden.tensors[name];
    let network = load("htdemucs");
    let NetworkConfig::HTDemucs(config) = network.config() else {
        panic!("not an HTDemucs");
    };
    let root = Scope::root(network.parameters());
    let layer = |index: usize, attends| {
        let scope = root.at("crosstransformer").at("layers").at(index);
        Layer::new(&scope, &config, attends)
    };
    let outputs = tch::no_grad(|| {
        let x = part("transformer.self.input0");
        let attended = layer(0, Attends::Itself).forward(x, x);
        let crossed = layer(1, Attends::Other).forward(
            part("transformer.cross.input0"),
            part("transformer.cross.input1"),
        );
        let (spectral, time) = CrossTransformer::new(&root, &config).forward(
            &swapped(part("transformer.spectral.input0")),
            part("transformer.spectral.input1"),
        );
        [
            ("transformer.self", attended),
            ("transformer.cross", crossed),
            ("transformer.spectral", swapped(&spectral)),
            ("transformer.time", time),
        ]
    });
    assert_parts_equal_the_reference(&golden, &outputs);
}

#[test]
fn named_sizes_are_the_published_ones() {
    assert_eq!(HTDemucsConfig::four_stems().parameter_count(), 41_984_456);
    assert_eq!(HTDemucsConfig::six_stems().parameter_count(), 27_414_996);
}
