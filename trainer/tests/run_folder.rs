//! What a run's folder allows: one training at a time, going on after the end, other networks.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

mod songs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use songs::{RATE_HZ, songs};

/// A config in `folder` for a tiny network.
fn config(folder: &Path) -> PathBuf {
    let root = folder.display();
    let text = format!(
        r#"
output = "{root}/run"
threads = 1
[card]
data = "sine waves"
licence = "CC0-1.0"
[model]
architecture = "demucs"
channels = 4
depth = 2
resample = false
sample_rate = {RATE_HZ}
segment_frames = 2000
[optimiser]
steps = 3
batch = 2
[augment]
repitch = {{ probability = 0.0 }}
[[data.train]]
path = "{root}/train"
[[data.valid]]
path = "{root}/valid"
"#
    );
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    path
}

fn train(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command
        .arg("train")
        .arg("--config")
        .arg(config(folder))
        .args(arguments);
    command
}

/// Whether it succeeded, and what it said.
fn said(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{text}");
    (output.status.success(), text)
}

/// A training that would go on for hours; killed when it is dropped.
struct Endless(Child);

impl Endless {
    fn start(folder: &Path) -> Self {
        let mut command = train(folder, &["--set", "optimiser.steps=10000000"]);
        let child = Self(command.stderr(Stdio::null()).spawn().unwrap());
        let begun = Instant::now();
        while !folder.join("run/state.safetensors").exists() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it does not begin"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Guards a run from a second one that mixes its logs and states into it, and from a lock that a killed
/// one leaves behind.
#[test]
fn a_second_training_in_one_folder_is_refused() {
    let folder = songs();
    let first = Endless::start(folder.path());
    let (done, text) = said(train(folder.path(), &[]));
    assert!(!done);
    assert!(
        text.contains(&format!("by process {} on ", first.0.id())),
        "{text}"
    );
    assert!(
        text.contains("another training is going on in this folder"),
        "{text}"
    );
    drop(first);
    let (done, text) = said(train(
        folder.path(),
        &["--set", "optimiser.steps=10000000", "--stop-after", "1"],
    ));
    assert!(done, "{text}");
}

/// Guards a log without a terminal from hours of silence, and a user who starts a finished run again
/// from waiting for it.
#[test]
fn a_run_says_where_it_is_and_that_it_is_finished() {
    let folder = songs();
    let (done, text) = said(train(folder.path(), &["--stop-after", "2"]));
    assert!(done && text.contains("step 1 of 2  loss "), "{text}");
    assert!(text.contains("min left"), "{text}");
    assert!(
        text.contains("stopped at step 2 of 3, as --stop-after says"),
        "{text}"
    );
    let (_, text) = said(train(folder.path(), &[]));
    assert!(
        text.contains("resuming") && text.contains("at step 2"),
        "{text}"
    );
    assert!(text.contains("step 3: valid L1"), "{text}");
    let finished = "run is finished: 3 of 3 steps are done; raise optimiser.steps to go on";
    assert!(text.contains(finished), "{text}");

    let state = fs::read(folder.path().join("run/state.safetensors")).unwrap();
    let (done, text) = said(train(folder.path(), &[]));
    assert!(
        done && text.contains(finished) && !text.contains("resuming"),
        "{text}"
    );
    assert_eq!(
        fs::read(folder.path().join("run/state.safetensors")).unwrap(),
        state
    );
    let (done, text) = said(train(folder.path(), &["--set", "optimiser.steps=4"]));
    assert!(done && text.contains("4 of 4 steps"), "{text}");
}

/// Guards against "no weight.decoder.0.0.bias" as the whole answer to a changed config.
#[test]
fn weights_of_another_network_are_refused_with_both_configs() {
    let folder = songs();
    assert!(said(train(folder.path(), &[])).0);
    let more = ["--set", "model.channels=8", "--set", "optimiser.steps=4"];
    let (done, text) = said(train(folder.path(), &more));
    assert!(!done);
    assert!(
        text.contains("model.channels is 4 there and 8 here"),
        "{text}"
    );
    assert!(text.contains("choose another output"), "{text}");

    let best = folder.path().join("run/best.safetensors");
    let output = format!("output={}/other", folder.path().display());
    let init = [
        "--set",
        &output,
        "--set",
        "model.depth=3",
        "--init",
        best.to_str().unwrap(),
    ];
    let (done, text) = said(train(folder.path(), &init));
    assert!(!done);
    assert!(text.contains("model.depth is 2 there and 3 here"), "{text}");
    assert!(text.contains("start without --init"), "{text}");
}
