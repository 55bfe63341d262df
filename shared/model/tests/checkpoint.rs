//! Checkpoints: what is written comes back, and whatever is wrong with a file is said.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::collections::BTreeMap;

use bunri_model::checkpoint::{Checkpoint, CheckpointError, float_values};
use bunri_model::{DemucsConfig, NetworkConfig, Provenance, Storage};
use tch::Device;

fn tiny() -> Checkpoint {
    let config = DemucsConfig {
        channels: 4,
        depth: 2,
        segment_frames: 500,
        ..DemucsConfig::v2(4)
    };
    Checkpoint {
        network: NetworkConfig::Demucs(config)
            .untrained(7, Device::Cpu)
            .unwrap(),
        provenance: Provenance {
            data: "noise".into(),
            steps: 3,
            metrics: BTreeMap::from([("valid_l1".into(), 0.25)]),
            ..Provenance::default()
        },
        licence: "CC0-1.0".into(),
    }
}

fn error_of(bytes: &[u8]) -> CheckpointError {
    Checkpoint::from_bytes(bytes, Device::Cpu)
        .map(|_| ())
        .unwrap_err()
}

#[test]
fn what_is_saved_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let saved = tiny();
    saved.save(&path, Storage::F32).unwrap();
    let loaded = Checkpoint::load(&path, Device::Cpu).unwrap();
    assert_eq!(loaded.network.config(), saved.network.config());
    assert_eq!(loaded.provenance, saved.provenance);
    assert_eq!(loaded.licence, saved.licence);
    for (name, tensor) in saved.network.parameters() {
        assert_eq!(
            float_values(tensor),
            float_values(&loaded.network.parameters()[name]),
            "{name}"
        );
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "a temporary file was left behind");
}

#[test]
fn half_precision_is_half_the_size_and_close() {
    let exact = tiny();
    let (full, half) = (
        exact.to_bytes(Storage::F32).unwrap(),
        exact.to_bytes(Storage::F16).unwrap(),
    );
    assert!(half.len() < full.len() * 6 / 10);
    let loaded = Checkpoint::from_bytes(&half, Device::Cpu).unwrap();
    for (name, tensor) in exact.network.parameters() {
        let values = float_values(tensor);
        for (a, b) in values
            .iter()
            .zip(float_values(&loaded.network.parameters()[name]))
        {
            // f16: 11 significant bits, subnormals below 6e-5.
            assert!(
                (a - b).abs() <= a.abs() / 2048.0 + 3e-8,
                "{name}: {a} became {b}"
            );
        }
    }
}

#[test]
fn names_equal_the_reference_packages() {
    let names: Vec<String> = tiny().network.parameters().keys().cloned().collect();
    let expected = "decoder.0.0.bias decoder.0.0.weight decoder.0.2.bias decoder.0.2.weight \
        decoder.1.0.bias decoder.1.0.weight decoder.1.2.bias decoder.1.2.weight \
        encoder.0.0.bias encoder.0.0.weight encoder.0.2.bias encoder.0.2.weight \
        encoder.1.0.bias encoder.1.0.weight encoder.1.2.bias encoder.1.2.weight \
        lstm.linear.bias lstm.linear.weight \
        lstm.lstm.bias_hh_l0 lstm.lstm.bias_hh_l0_reverse lstm.lstm.bias_hh_l1 \
        lstm.lstm.bias_hh_l1_reverse lstm.lstm.bias_ih_l0 lstm.lstm.bias_ih_l0_reverse \
        lstm.lstm.bias_ih_l1 lstm.lstm.bias_ih_l1_reverse lstm.lstm.weight_hh_l0 \
        lstm.lstm.weight_hh_l0_reverse lstm.lstm.weight_hh_l1 lstm.lstm.weight_hh_l1_reverse \
        lstm.lstm.weight_ih_l0 lstm.lstm.weight_ih_l0_reverse lstm.lstm.weight_ih_l1 \
        lstm.lstm.weight_ih_l1_reverse";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
}

/// Guards against a cut-off download being called "not a model file", or loading.
#[test]
fn every_truncation_is_an_error() {
    let bytes = tiny().to_bytes(Storage::F32).unwrap();
    for kept in (0..bytes.len())
        .step_by(97)
        .chain([1, 7, 8, 9, bytes.len() - 1])
    {
        let error = error_of(&bytes[..kept]);
        if kept > 8 {
            let missing = (bytes.len() - kept) as u64;
            match error {
                CheckpointError::Truncated { missing_bytes } => assert!(missing_bytes <= missing),
                other => panic!("{kept} of {} bytes: {other}", bytes.len()),
            }
        }
    }
    let cut = error_of(&bytes[..bytes.len() - 1000]).to_string();
    assert!(
        cut.contains("1000 bytes short") && cut.contains("fetch it again"),
        "{cut}"
    );
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let bytes = tiny().to_bytes(Storage::F32).unwrap();
    let mut huge_header = bytes.clone();
    huge_header[..8].copy_from_slice(&(1u64 << 60).to_le_bytes());
    assert!(
        error_of(&huge_header)
            .to_string()
            .contains("claims 1152921504606846976 bytes")
    );

    let text = |from: &str, to: &str| {
        let header_bytes = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = std::str::from_utf8(&bytes[8..8 + header_bytes]).unwrap();
        assert!(header.contains(from), "{header}");
        let header = header.replace(from, to);
        let mut changed = (header.len() as u64).to_le_bytes().to_vec();
        changed.extend(header.as_bytes());
        changed.extend(&bytes[8 + header_bytes..]);
        error_of(&changed)
    };
    let config = text("\\\"channels\\\":4", "\\\"channels\\\":400000000000");
    assert!(matches!(config, CheckpointError::Parameters(_)), "{config}");
    assert!(
        config.to_string().contains("channels = 400000000000"),
        "{config}"
    );
    let wider = text("\\\"channels\\\":4", "\\\"channels\\\":8");
    assert!(wider.to_string().contains("has shape"), "{wider}");
    let shape = text("\"shape\":[16]", "\"shape\":[16000000000000]");
    assert!(
        matches!(shape, CheckpointError::NotSafetensors(_)),
        "{shape}"
    );
    let newer = text("\"bunri.format\":\"1\"", "\"bunri.format\":\"9\"");
    assert!(newer.to_string().contains("update Bunri"), "{newer}");
}

#[test]
fn other_files_are_named_for_what_they_are() {
    assert!(matches!(error_of(b""), CheckpointError::NotSafetensors(_)));
    assert!(matches!(
        error_of(b"RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0\x01\0"),
        CheckpointError::NotSafetensors(_)
    ));
    let pointer = error_of(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 8\n");
    assert!(pointer.to_string().contains("git lfs pull"), "{pointer}");
    let page = error_of(b"<!DOCTYPE html><html><title>404</title></html>");
    assert!(page.to_string().contains("a web page"), "{page}");
    let missing = Checkpoint::load("no/such/file.safetensors".as_ref(), Device::Cpu).unwrap_err();
    assert!(
        missing.to_string().contains("no/such/file.safetensors"),
        "{missing}"
    );
}

#[test]
fn weights_that_are_not_numbers_are_refused() {
    let checkpoint = tiny();
    let mut bias = checkpoint.network.parameters()["encoder.0.0.bias"].shallow_clone();
    let _ = tch::no_grad(|| bias.fill_(f64::NAN));
    let error = error_of(&checkpoint.to_bytes(Storage::F32).unwrap());
    assert!(error.to_string().contains("encoder.0.0.bias"), "{error}");
}
