//! What a user reads when a model cannot be opened.
#![allow(clippy::unwrap_used)] // A test that cannot go on should stop where it stands.

mod fixture;

use std::path::Path;

use bunri_stream::engine::{EngineError, ModelSource, OpenOptions};
use bunri_stream::{BuiltIn, Mode};
use fixture::{engine, small_checkpoint};

/// The engine's answer to a model that it must refuse.
fn refusal(source: ModelSource, options: &OpenOptions) -> String {
    match engine().open(&source, options) {
        Err(EngineError::Failed(reason)) => {
            println!("{reason}");
            assert!(!reason.contains("frame #"), "a C++ stack is no message");
            reason
        }
        other => panic!("{source:?} was accepted: {other:?}"),
    }
}

fn refusal_of_file(path: &Path, bytes: &[u8]) -> String {
    std::fs::write(path, bytes).unwrap();
    refusal(ModelSource::File(path.to_owned()), &OpenOptions::default())
}

/// Guards the words: which file, what is wrong, what to do.
#[test]
fn bad_model_files_are_named_with_their_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("modèle.safetensors");
    let name = path.to_str().unwrap();

    let missing = refusal(ModelSource::File(path.clone()), &OpenOptions::default());
    assert!(
        missing.contains(name) && missing.contains("No such file"),
        "{missing}"
    );

    let whole = small_checkpoint(1)
        .to_bytes(bunri_model::Storage::F16)
        .unwrap();
    let cut = refusal_of_file(&path, &whole[..whole.len() - 100]);
    assert!(
        cut.contains(name) && cut.contains("100 bytes short"),
        "{cut}"
    );

    let text = refusal_of_file(
        &path,
        b"drums and bass, and what else there is to say of them",
    );
    assert!(
        text.contains(name) && text.contains("not a model file"),
        "{text}"
    );

    let mut absurd = whole.clone();
    absurd[..8].copy_from_slice(&(1u64 << 62).to_le_bytes());
    let absurd = refusal_of_file(&path, &absurd);
    assert!(
        absurd.contains(name) && absurd.contains("4611686018427387904"),
        "{absurd}"
    );

    let directory = refusal(
        ModelSource::File(folder.path().into()),
        &OpenOptions::default(),
    );
    assert!(
        directory.contains(folder.path().to_str().unwrap()),
        "{directory}"
    );
}

/// Guards the options' way: each must reach the check that refuses it.
#[test]
fn bad_options_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fixture::save_small_model(&path, 1);
    let with = |device: &str, mode: Mode| {
        let device = device.to_owned();
        refusal(
            ModelSource::File(path.clone()),
            &OpenOptions { device, mode },
        )
    };
    assert!(with("abacus", Mode::default()).contains("abacus"));
    assert!(with("cuda:99", Mode::default()).contains("cuda:99"));
    assert!(with("cpu", Mode::Overlap(1.5)).contains("overlap-1.5"));
    assert!(with("cpu", Mode::Studio { latency_ms: 1 }).contains("studio-0.001"));
    assert!(with("cpu", Mode::Live).contains("choose a studio mode"));
}

/// Guards the list that a user chooses from.
#[test]
fn every_listed_device_opens_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fixture::save_small_model(&path, 1);
    let devices = engine().devices().unwrap();
    assert_eq!(devices[0].name, "cpu");
    for device in devices {
        let options = OpenOptions {
            device: device.name,
            ..OpenOptions::default()
        };
        let model = engine()
            .open(&ModelSource::File(path.clone()), &options)
            .unwrap();
        let facts = model.facts().unwrap();
        assert_eq!((facts.device, facts.notice), (options.device, None));
        assert!(facts.weights_bytes > 1000, "{}", facts.weights_bytes);
    }
}

/// Guards an engine built without a model: the plugin must be told so, and go on.
#[test]
fn built_in_models_open_or_are_said_to_be_missing() {
    for built_in in BuiltIn::ALL {
        let source = ModelSource::BuiltIn(built_in);
        let opened = engine().open(&source, &OpenOptions::default());
        match (opened, bunri_model::built_in_model(built_in)) {
            (Ok(model), Some(_)) => println!("{:?}", bunri_stream::StemModel::spec(&model)),
            (Err(EngineError::Failed(reason)), None) => assert!(reason.contains("choose a model")),
            (opened, built_in) => panic!("{opened:?} of {:?} bytes", built_in.map(<[u8]>::len)),
        }
    }
}
