//! `trainer average`, as its users run it.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bunri_model::checkpoint::float_values;
use bunri_model::{Checkpoint, DemucsConfig, NetworkConfig, Provenance, Storage};
use tch::Device;

fn write(folder: &Path, name: &str, seed: i64, channels: usize) -> PathBuf {
    let config = DemucsConfig {
        channels,
        depth: 2,
        segment_frames: 1000,
        ..DemucsConfig::v1(4)
    };
    let network = NetworkConfig::Demucs(config);
    let checkpoint = Checkpoint {
        network: network.untrained(seed, Device::Cpu).unwrap(),
        provenance: Provenance {
            steps: seed as u64,
            metrics: [("valid_l1".to_owned(), 0.1)].into(),
            ..Provenance::default()
        },
        licence: "CC0-1.0".into(),
    };
    let path = folder.join(name);
    checkpoint.save(&path, Storage::F32).unwrap();
    path
}

fn average(parts: &[(f64, &Path)], output: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trainer"))
        .arg("average")
        .args(
            parts
                .iter()
                .map(|(share, path)| format!("{share}={}", path.display())),
        )
        .arg("-o")
        .arg(output)
        .output()
        .unwrap()
}

/// Guards against shares that land on the wrong file, and a card that keeps one part's figures.
#[test]
fn every_weight_is_the_weighted_mean() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = [1, 2].map(|seed| write(folder.path(), &format!("{seed}"), seed, 4));
    let output = folder.path().join("mean.safetensors");
    let run = average(&[(0.75, &one), (0.25, &two)], &output);
    assert!(run.status.success(), "{run:?}");
    let [one, two, mean] =
        [&one, &two, &output].map(|path| Checkpoint::load(path, Device::Cpu).unwrap());
    for (name, tensor) in mean.network.parameters() {
        let parts = [&one, &two].map(|part| float_values(&part.network.parameters()[name]));
        for (index, value) in float_values(tensor).iter().enumerate() {
            let expected = 0.75 * parts[0][index] + 0.25 * parts[1][index];
            assert!(
                (value - expected).abs() < 1e-6,
                "{name}: {value} {expected}"
            );
        }
    }
    assert!(mean.provenance.metrics.is_empty());
    assert_eq!(mean.provenance.notes["averaged"][1]["share"], 0.25);
}

#[test]
fn what_cannot_be_averaged_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = write(folder.path(), "one", 1, 4);
    let wider = write(folder.path(), "wider", 1, 6);
    let output = folder.path().join("mean.safetensors");
    for (parts, word) in [
        ([(0.5, &*one), (0.6, &*one)], "add up to 1.1"),
        ([(0.5, &*one), (0.5, &*wider)], "different configs"),
    ] {
        let run = average(&parts, &output);
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && said.contains(word), "{said}");
        assert!(!output.exists());
    }
}
