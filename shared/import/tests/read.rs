//! Files of the reference packages, made by `tests/files/make_files.py`, and files that no honest
//! program makes: weights come out to the last bit, and nothing else comes out at all.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bunri_import::{ImportError, Package};
use safetensors::SafeTensors;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "files", name]
        .iter()
        .collect()
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// The tensors of a golden file whose names begin with `prefix`.
fn golden(name: &str, prefix: &str) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = file(&format!("{name}.golden.safetensors"));
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let of_prefix = tensors.iter().filter_map(|(name, view)| {
        let (words, _) = view.data().as_chunks::<4>();
        let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        let name = name.strip_prefix(prefix)?.to_owned();
        Some((name, (view.shape().to_vec(), values)))
    });
    of_prefix.collect()
}

/// The weights of a file, and those that the package itself read from it.
fn compare(name: &str, golden_name: &str) {
    let bytes = file(name);
    let package = Package::read(&bytes).unwrap();
    let expected = golden(golden_name, "weight.");
    assert!(
        expected.len() >= 10,
        "{name}: a golden file without weights"
    );
    let order = module_order(&expected);
    let weights = package.weights(&order).unwrap();
    let names: Vec<_> = weights.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>(), "{name}");
    for (key, (shape, values)) in expected {
        assert_eq!(weights[&key].shape, shape, "{name}: {key}");
        assert_eq!(weights[&key].values, values, "{name}: {key} differs");
    }
}

/// Names and shapes as Demucs v2's modules hold them; the golden file's own are sorted.
fn module_order(tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) -> Vec<(String, Vec<usize>)> {
    let place = |name: &str| {
        let part = ["encoder", "decoder", "lstm.lstm", "lstm.linear"];
        let part = part.iter().position(|part| name.starts_with(part));
        let direction = name.ends_with("_reverse");
        let kind = [
            "weight_ih",
            "weight_hh",
            "bias_ih",
            "bias_hh",
            ".weight",
            ".bias",
        ];
        let kind = kind.iter().position(|kind| name.contains(kind));
        let layer: Vec<u32> = name
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect();
        (part, layer, direction, kind)
    };
    let mut order: Vec<_> = tensors
        .iter()
        .map(|(name, (shape, _))| (name.clone(), shape.clone()))
        .collect();
    order.sort_by_key(|(name, _)| place(name));
    order
}

#[test]
fn weights_of_packages_are_those_that_the_reference_reads() {
    for name in ["v2", "v2-v1", "tasnet"] {
        compare(&format!("{name}.th"), name);
    }
}

#[test]
fn bare_states_are_read_too() {
    compare("v2-bare.th", "v2-bare");
    compare("tasnet-bare.th", "tasnet");
    assert!(
        Package::read(&file("v2-bare.th"))
            .unwrap()
            .class()
            .is_none()
    );
}

/// Guards the order of modules, groups of different bits, and float order: all to the last bit.
#[test]
fn quantized_weights_are_those_that_diffq_restores() {
    compare("v2-diffq.th", "v2-diffq");
    compare("v2-qat.th", "v2-qat");
}

/// Guards the published file's kind: no `meta`, nothing packed; the command line says how.
#[test]
fn states_older_than_meta_are_read_by_the_command_line() {
    compare("v2-diffq-old.th", "v2-diffq");
}

/// Guards against the lists of one model being dealt out to another.
#[test]
fn a_quantized_state_of_another_model_is_refused() {
    let bytes = file("v2-diffq.th");
    let package = Package::read(&bytes).unwrap();
    let mut order = module_order(&golden("v2-diffq", "weight."));
    let last = order.pop().unwrap();
    let error = package.weights(&order).map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("goes on after the model's last weight"),
        "{error}"
    );
    order.push(last);
    order.push(("more".into(), vec![1]));
    let error = package.weights(&order).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("ends before more"), "{error}");
}

#[test]
fn arguments_and_the_command_line_are_read() {
    let bytes = file("v2-v1.th");
    let package = Package::read(&bytes).unwrap();
    assert_eq!(package.class(), Some("demucs.model.Demucs"));
    let arguments = package.arguments();
    assert_eq!(arguments.len(), 1);
    let sources = arguments[0].members().unwrap();
    let sources: Vec<_> = sources.iter().map(|source| source.as_str()).collect();
    assert_eq!(sources, [Some("drums"), Some("voice")]);
    let keywords: BTreeMap<_, _> = package.keywords().into_iter().collect();
    assert_eq!(keywords["channels"].as_i64(), Some(8));
    assert_eq!(keywords["resample"].as_bool(), Some(false));
    let training = package.training().unwrap();
    assert_eq!(
        training.get("segment").unwrap().as_fraction(),
        Some((39, 5))
    );
    assert_eq!(training.get("big").unwrap().as_i64(), Some(1 << 40));
    assert_eq!(
        training.get("token").unwrap().as_bytes(),
        Some(&[0u8, 255][..])
    );
    let json = training.to_json(8, &mut 1000).to_string();
    assert!(json.contains(r#""lr":0.0003"#), "{json}");
}

fn error_of(bytes: &[u8]) -> ImportError {
    let order = [("weight".to_owned(), vec![3])];
    match Package::read(bytes) {
        Ok(package) => package.weights(&order).map(|_| ()).unwrap_err(),
        Err(error) => error,
    }
}

/// Guards the one thing that must never happen: a file that runs a program.
#[test]
fn a_call_of_the_system_is_refused_and_named() {
    let error = error_of(&file("os-system.th"));
    assert!(matches!(error, ImportError::Forbidden { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("posix.system") && text.contains("Nothing was executed"),
        "{text}"
    );
}

#[test]
fn other_kinds_of_files_are_told_apart() {
    assert!(matches!(error_of(&file("legacy.th")), ImportError::Legacy));
    assert!(matches!(
        error_of(&file("torchscript.pt")),
        ImportError::TorchScript
    ));
    for (name, words) in [
        ("no-model.th", "state, epoch"),
        ("whole-module.th", "an object"),
    ] {
        let error = error_of(&file(name)).to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
    assert!(matches!(
        error_of(b"RIFF...."),
        ImportError::UnknownKind { .. }
    ));
    assert!(matches!(error_of(b""), ImportError::UnknownKind { .. }));
}

/// Guards against a cut-off download being read as far as it goes.
#[test]
fn truncations_and_flipped_weights_are_errors() {
    let bytes = file("tasnet-bare.th");
    for kept in (0..bytes.len()).step_by(101).chain([bytes.len() - 1]) {
        assert!(
            Package::read(&bytes[..kept]).is_err(),
            "{kept} of {} bytes",
            bytes.len()
        );
    }
    let (_, weights) = &golden("tasnet", "weight.")["encoder.conv1d_U.weight"];
    let first: Vec<u8> = weights[..4]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let place = bytes
        .windows(16)
        .position(|window| window == first)
        .unwrap();
    let mut flipped = bytes.clone();
    flipped[place] ^= 1;
    let error = error_of(&flipped).to_string();
    assert!(error.contains("checksum"), "{error}");
}
