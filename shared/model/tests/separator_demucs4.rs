//! Models of the v3 and v4 releases as stream models: the contract that every `StemModel` keeps.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::sync::Arc;

use bunri_model::{
    BagConfig, Checkpoint, DemucsV3Config, HDemucsConfig, HTDemucsConfig, NetworkConfig,
    Provenance, Separator, SharedWeights, Storage,
};
use bunri_stream::conformance::assert_stem_model;
use bunri_stream::{Mode, StemModel};
use tch::Device;

const SEGMENT: usize = 2_048;

fn htdemucs() -> HTDemucsConfig {
    HTDemucsConfig {
        channels: 4,
        nfft: 512,
        depth: 3,
        dconv_comp: 2.0,
        bottom_channels: 8,
        t_heads: 4,
        t_layers: 2,
        segment_frames: SEGMENT,
        ..HTDemucsConfig::four_stems()
    }
}

fn hdemucs() -> HDemucsConfig {
    HDemucsConfig {
        channels: 4,
        nfft: 256,
        depth: 4,
        norm_starts: 2,
        dconv_attn: 2,
        dconv_lstm: 2,
        segment_frames: SEGMENT,
        ..HDemucsConfig::default()
    }
}

fn demucs_v3() -> DemucsV3Config {
    DemucsV3Config {
        channels: 4,
        depth: 3,
        norm_starts: 2,
        dconv_attn: 2,
        dconv_lstm: 2,
        segment_frames: SEGMENT,
        ..DemucsV3Config::default()
    }
}

fn bag() -> BagConfig {
    BagConfig {
        models: vec![
            NetworkConfig::HTDemucs(htdemucs()),
            NetworkConfig::HDemucs(HDemucsConfig {
                segment_frames: 3 * SEGMENT,
                ..hdemucs()
            }),
        ],
        weights: Some(vec![vec![1.0, 0.0, 1.0, 2.0], vec![0.0, 1.0, 1.0, 1.0]]),
    }
}

fn separator(config: NetworkConfig) -> Separator {
    let network = config.untrained(3, Device::Cpu).unwrap();
    Separator::new(Arc::new(SharedWeights::new(network)), Mode::Overlap(0.5)).unwrap()
}

#[test]
fn every_architecture_keeps_the_stem_model_contract() {
    for config in [
        NetworkConfig::HTDemucs(htdemucs()),
        NetworkConfig::HDemucs(hdemucs()),
        NetworkConfig::DemucsV3(demucs_v3()),
    ] {
        assert_stem_model(&mut separator(config));
    }
}

/// Guards the window of a bag whose models have different ones: the shortest is what all can take.
#[test]
fn a_bag_keeps_the_stem_model_contract() {
    let mut separator = separator(NetworkConfig::Bag(bag()));
    assert_eq!(separator.spec().chunk_frames, SEGMENT);
    assert_stem_model(&mut separator);
}

/// Guards names in files: a bag's models are found again, each under its own index.
#[test]
fn a_bag_comes_back_from_its_file() {
    let network = NetworkConfig::Bag(bag()).untrained(5, Device::Cpu).unwrap();
    let checkpoint = Checkpoint {
        network,
        provenance: Provenance::default(),
        licence: "CC0-1.0".into(),
    };
    let bytes = checkpoint.to_bytes(Storage::F32).unwrap();
    let loaded = Checkpoint::from_bytes(&bytes, Device::Cpu).unwrap().network;
    assert_eq!(loaded.config(), NetworkConfig::Bag(bag()));
    for (name, tensor) in checkpoint.network.parameters() {
        assert_eq!(*tensor, loaded.parameters()[name], "{name}");
    }
    let (first, second) = (
        "models.0.encoder.0.conv.weight",
        "models.1.encoder.0.conv.weight",
    );
    let parameters = loaded.parameters();
    assert_ne!(parameters[first], parameters[second], "equal seeds");
}
