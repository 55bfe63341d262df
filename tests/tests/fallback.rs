//! Without an engine or a model the plugin still passes audio, in time.

use std::path::Path;
use std::time::Duration;

use bunri_tests::bundle::{Bundles, engine_folder};
use bunri_tests::checkpoint::{self, SHORT_CHUNK_FRAMES};
use bunri_tests::own_process::{Environment, in_own_process};
use bunri_tests::signals::{assert_near, delayed, noise};
use bunri_tests::{AuxBuses, Format, Pace, Setup, table};

const LIMIT: Duration = Duration::from_secs(60);

/// Guards against a host session that falls silent because it moved to another machine.
#[test]
fn no_engine() {
    passes_dry(
        "no_engine",
        |_| {},
        |folder| Environment {
            engine_folder: Some(folder.to_owned()),
            model: None,
        },
    );
}

/// Guards against a crash where a file of the engine's name is something else.
#[test]
fn an_engine_that_is_none() {
    let write = |folder: &Path| {
        std::fs::write(folder.join("libbunri_engine.so"), "not a library").expect("the file");
    };
    passes_dry("an_engine_that_is_none", write, |folder| Environment {
        engine_folder: Some(folder.to_owned()),
        model: None,
    });
}

/// Guards against a session whose model file was moved away.
#[test]
fn no_such_model() {
    with_model("no_such_model", |_| {});
}

/// Guards against a download that broke off.
#[test]
fn a_truncated_model() {
    with_model("a_truncated_model", |model| {
        checkpoint::echo(model, SHORT_CHUNK_FRAMES);
        let bytes = std::fs::read(model).expect("the model");
        std::fs::write(model, &bytes[..bytes.len() - 1000]).expect("the model cut short");
    });
}

/// Guards against memory that a header asks for and no file holds.
#[test]
fn a_model_with_an_absurd_header() {
    with_model("a_model_with_an_absurd_header", |model| {
        let mut bytes = u64::MAX.to_le_bytes().to_vec();
        bytes.extend_from_slice(b"{\"nothing\":0}");
        std::fs::write(model, bytes).expect("the model");
    });
}

/// Guards against taking any file for a model.
#[test]
fn a_model_that_is_none() {
    with_model("a_model_that_is_none", |model| {
        std::fs::write(model, "RIFF....WAVEfmt ").expect("the model");
    });
}

/// With a real engine, if there is one, and `write` having written (or not) the model file.
fn with_model(name: &str, write: impl FnOnce(&Path)) {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let write = |folder: &Path| write(&folder.join("model.safetensors"));
    passes_dry(name, write, |folder| Environment {
        engine_folder: Some(engine_folder),
        model: Some(folder.join("model.safetensors")),
    });
}

/// In both hosts: main is the input at the reported latency from the first frame on, the stem
/// buses are silent, whatever the host does.
fn passes_dry(
    name: &str,
    prepare: impl FnOnce(&Path),
    environment: impl FnOnce(&Path) -> Environment,
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepare(folder.path());
    in_own_process(
        name,
        || environment(folder.path()),
        LIMIT,
        || {
            let bundles = Bundles::new();
            for format in [Format::Clap, Format::Vst3] {
                table::case("missing engine", format.host_name(), || {
                    let mut host = format.load(&bundles.path(format));
                    for pace in [Pace::Offline, Pace::Freewheel, Pace::Live] {
                        for aux in [AuxBuses::Active, AuxBuses::Inactive] {
                            host.activate(Setup {
                                rate_hz: 48_000,
                                max_block_frames: 512,
                                pace,
                                aux,
                            });
                            let latency = host.latency_frames();
                            let input = noise(latency + 10_000, 7);
                            let buses = host.process(&input, &[512, 100]);
                            let what = format!("{format:?}, {pace:?}, {aux:?}, latency {latency}");
                            let expected = delayed(&input, latency);
                            assert_near(&buses[0], &expected, 0.0, &format!("{what}: main"));
                            let silence = bunri_stream::Planar::zeros(2, input.frames());
                            for bus in &buses[1..] {
                                assert_near(bus, &silence, 0.0, &format!("{what}: a stem bus"));
                            }
                        }
                    }
                });
            }
        },
    );
}
