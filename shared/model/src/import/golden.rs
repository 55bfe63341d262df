//! Imported models compute what the reference package computes with the same file, shown on files
//! made by `shared/import/tests/files/make_files.py`.
//!
//! The tolerance: both sides compute in `f32` with the same libtorch, but sum in another order.

use std::path::PathBuf;

use safetensors::SafeTensors;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::{Hints, ImportModelError, Imported, import};
use crate::golden::{compare, print_head};
use crate::{Checkpoint, NetworkConfig, Storage};

const TOLERANCE: f64 = 1e-5;

/// Files that say themselves what they are, and the golden file of each.
const FILES: [(&str, &str); 12] = [
    ("v2.th", "v2"),
    ("v2-v1.th", "v2-v1"),
    ("v2-diffq.th", "v2-diffq"),
    ("v2-diffq-old.th", "v2-diffq"),
    ("v2-qat.th", "v2-qat"),
    ("tasnet.th", "tasnet"),
    ("demucs-v3.th", "demucs-v3"),
    ("hdemucs.th", "hdemucs"),
    ("hdemucs-diffq.th", "hdemucs-diffq"),
    ("hdemucs-diffq.safetensors", "hdemucs-diffq"),
    ("htdemucs.th", "htdemucs"),
    ("htdemucs.safetensors", "htdemucs"),
];

fn file(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../import/tests/files", name]
        .iter()
        .collect();
    std::fs::read(path).unwrap()
}

fn imported(name: &str, hints: &Hints) -> Imported {
    import(&file(name), hints, Device::Cpu).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The largest difference from the reference's output; after a way through our own file.
fn error_of(name: &str, golden: &str, imported: Imported) -> f64 {
    let bytes = file(&format!("{golden}.golden.safetensors"));
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |name: &str| {
        let view = tensors.tensor(name).unwrap();
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        Tensor::from_data_size(view.data(), &shape, Kind::Float)
    };
    let bytes = imported.checkpoint.to_bytes(Storage::F32).unwrap();
    let network = Checkpoint::from_bytes(&bytes, Device::Cpu).unwrap().network;
    let output = tch::no_grad(|| network.forward(&tensor("mix")));
    compare(name, &output, &tensor("output"))
}

/// Guards arguments, order of weights and their decoding, at once and to the end: the sound.
#[test]
fn imported_models_equal_the_reference() {
    print_head();
    let mut errors = Vec::new();
    for (name, golden) in FILES {
        let model = imported(name, &Hints::default());
        assert_eq!(
            model.was_quantized,
            name.contains("diffq") || name.contains("qat"),
            "{name}"
        );
        assert_eq!(model.dropped, Vec::<String>::new(), "{name}");
        errors.push((name, error_of(name, golden, model)));
    }
    for (name, error) in errors {
        assert!(error < TOLERANCE, "{name}: {error}");
    }
}

/// Guards the order by which quantized weights get their names, for every class: files with names
/// hold them in the order of the reference's modules.
#[test]
fn weights_are_ordered_as_in_the_references_modules() {
    for name in [
        "v2.th",
        "tasnet.th",
        "demucs-v3.th",
        "hdemucs.th",
        "htdemucs.th",
    ] {
        let bytes = file(name);
        let package = bunri_import::Package::read(&bytes).unwrap();
        let (class, config, _) = super::config::config(&package, &Hints::default()).unwrap();
        let ours = class.module_order(&config.parameter_specs());
        let ours: Vec<&str> = ours.iter().map(|(name, _)| name.as_str()).collect();
        let reference = package.shapes().unwrap().into_iter().map(|(name, _)| name);
        let reference: Vec<&str> = reference.collect();
        let pairs = ours.iter().zip(&reference);
        for (index, (ours, reference)) in pairs.enumerate() {
            assert_eq!(ours, reference, "{name}: weight {index}");
        }
        assert_eq!(ours.len(), reference.len(), "{name}");
    }
}

fn hints(architecture: &str, fields: serde_json::Value) -> Hints {
    Hints {
        architecture: Some(architecture.into()),
        fields: fields.as_object().unwrap().clone(),
    }
}

/// Guards the published files of demucs 2.0.3, which are weights alone: shapes tell the sizes.
#[test]
fn weights_alone_are_imported_with_a_hint() {
    print_head();
    let stems = json!({"stems": ["drums", "voice"]});
    for (name, golden, architecture) in [
        ("v2-bare.th", "v2-bare", "demucs"),
        ("tasnet-bare.th", "tasnet", "conv-tasnet"),
    ] {
        let model = imported(name, &hints(architecture, stems.clone()));
        let error = error_of(name, golden, model);
        assert!(error < TOLERANCE, "{name}: {error}");
    }
}

/// Guards the way out of each mistake.
#[test]
fn errors_say_what_is_missing() {
    let error = |name: &str, hints: &Hints| {
        let result = import(&file(name), hints, Device::Cpu).map(|_| ());
        result.unwrap_err()
    };
    let none = Hints::default();
    assert!(matches!(
        error("v2-bare.th", &none),
        ImportModelError::Unnamed
    ));
    // Four stems, as published: the last layer is too small for them.
    let four = hints("demucs", json!({}));
    assert!(
        error("v2-bare.th", &four)
            .to_string()
            .contains("decoder.1.2")
    );
    let other = hints("htdemucs", json!({}));
    assert!(matches!(error("v2.th", &other), ImportModelError::Named(_)));
    let unknown = hints("demucs", json!({"chanels": 3}));
    assert!(
        error("v2-bare.th", &unknown)
            .to_string()
            .contains("chanels")
    );
    let nothing = hints("wavenet", json!({}));
    assert!(
        error("v2-bare.th", &nothing)
            .to_string()
            .contains("wavenet")
    );
    assert!(
        error("os-system.th", &none)
            .to_string()
            .contains("posix.system")
    );
}

/// Guards the card: rate and segment of the file, its class, its command line.
#[test]
fn the_card_says_where_a_model_comes_from() {
    let model = imported("v2-v1.th", &Hints::default()).checkpoint;
    let NetworkConfig::Demucs(config) = model.network.config() else {
        panic!("another architecture");
    };
    assert_eq!((config.sample_rate, config.segment_frames), (22_050, 4_410));
    let notes = &model.provenance.notes;
    assert_eq!(notes["imported_class"], "demucs.model.Demucs");
    assert_eq!(notes["training_args"]["segment"], "39/5");
}
