//! `trainer import` and `trainer info`, as they are run.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bunri_model::{Checkpoint, NetworkConfig};
use tch::Device;

fn file(name: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "../shared/import/tests/files",
        name,
    ]
    .iter()
    .collect()
}

fn trainer(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command.args(arguments).output().unwrap()
}

fn succeed(arguments: &[&str]) -> String {
    let output = trainer(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn fail(arguments: &[&str]) -> String {
    let output = trainer(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Guards the whole way: import, then what info says of the result, in words and as JSON.
#[test]
fn an_imported_model_can_be_described() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("model.safetensors");
    let source = file("v2-diffq.th");
    let said = succeed(&[
        "import",
        text(&source),
        "-o",
        text(&output),
        "--licence",
        "CC0-1.0",
    ]);
    assert!(
        said.contains("drums, voice at 44100 Hz, DiffQ decoded"),
        "{said}"
    );

    let said = succeed(&["info", text(&output)]);
    for words in [
        "demucs",
        "drums, voice",
        "2 channels at 44100 Hz",
        "CC0-1.0",
        "studio-0.25",
        "overlap-0.75",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let json = succeed(&["info", text(&output), "--json"]);
    let info: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(info["architecture"], "demucs");
    assert_eq!(info["bytes"], std::fs::metadata(&output).unwrap().len());
    let notes = &info["provenance"]["notes"];
    assert_eq!(notes["imported_class"], "demucs.model.Demucs");
    let modes = info["modes"].as_array().unwrap();
    assert_eq!(modes.len(), 7, "five studio latencies, two overlaps");
    for mode in modes {
        // The definition of a stream's latency, in the units of both columns.
        let frames = |name: &str| mode[name].as_u64().unwrap();
        let latency = frames("latency_frames");
        assert_eq!(latency, frames("hop_frames") + frames("lookahead_frames"));
        let ms = mode["latency_ms"].as_f64().unwrap();
        assert!((ms - latency as f64 / 44.1).abs() < 1e-6, "{mode}");
    }
}

/// Guards the warning: what contains code must say so before anybody runs it.
#[test]
fn torch_script_is_described_with_its_warning() {
    let model = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/model/tests/golden/open-unmix.toml"
    );
    let said = succeed(&["info", model]);
    for words in ["torch-script", "contains code", "44100 Hz", "overlap-0.75"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// Guards bags as they are published: a description, and models beside it by their signatures.
#[test]
fn a_bag_becomes_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let beside = |name: &str| folder.path().join(name);
    std::fs::copy(file("htdemucs.safetensors"), beside("955717e8.safetensors")).unwrap();
    std::fs::copy(file("hdemucs.th"), beside("0d19c1c6-0f06f20e.th")).unwrap();
    let yaml = "models: ['955717e8', '0d19c1c6']\nweights: [\n  [1., 0.],\n  [1., 1.],\n]\nsegment: 0.01\n";
    std::fs::write(beside("bag.yaml"), yaml).unwrap();
    let output = beside("bag.safetensors");
    succeed(&["import", text(&beside("bag.yaml")), "-o", text(&output)]);
    let network = Checkpoint::load(&output, Device::Cpu).unwrap().network;
    let NetworkConfig::Bag(bag) = network.config() else {
        panic!("no bag");
    };
    assert_eq!(bag.weights, Some(vec![vec![1.0, 0.0], vec![1.0, 1.0]]));
    let segments = bag.models.iter().map(|model| match model {
        NetworkConfig::HTDemucs(config) => config.segment_frames,
        NetworkConfig::HDemucs(config) => config.segment_frames,
        other => panic!("{other:?}"),
    });
    assert_eq!(segments.collect::<Vec<_>>(), [441, 441]);

    std::fs::write(beside("bag.yaml"), "models: ['12345678']\n").unwrap();
    let error = fail(&["import", text(&beside("bag.yaml")), "-o", text(&output)]);
    assert!(error.contains("12345678.safetensors"), "{error}");
}

/// Guards the way out of weights alone, and that a refused file leaves nothing behind.
#[test]
fn what_a_file_does_not_say_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("model.safetensors");
    let bare = file("v2-bare.th");
    let error = fail(&["import", text(&bare), "-o", text(&output)]);
    assert!(error.contains("--architecture"), "{error}");
    let error = fail(&["import", text(&file("os-system.th")), "-o", text(&output)]);
    assert!(error.contains("posix.system"), "{error}");
    assert!(!output.exists());
    let arguments = [
        "--architecture",
        "demucs",
        "--stems",
        "drums,voice",
        "--set",
        "resample=false",
    ];
    let arguments = [
        &["import", text(&bare), "-o", text(&output)],
        &arguments[..],
    ]
    .concat();
    succeed(&arguments);
    let error = fail(&["info", text(&bare)]);
    assert!(error.contains("trainer import"), "{error}");
}
