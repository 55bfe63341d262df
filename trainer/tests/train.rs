//! `trainer train` as a researcher runs it, on a tiny model and a second of noise.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

mod songs;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use bunri_model::Checkpoint;
use bunri_model::checkpoint::float_values;
use songs::{RATE_HZ, songs, write_song};

const DEMUCS: &str = r#"
architecture = "demucs"
channels = 4
depth = 2
resample = false
normalize = true
"#;

const LIVE_DEMUCS: &str = r#"
architecture = "live-demucs"
hidden = 8
depth = 2
"#;

const LIVE_BAND_SPLIT: &str = r#"
architecture = "band-split"
window_frames = 256
hop_frames = 64
band_bins = [4, 8, 16, 32, 69]
features = 8
hidden = 8
blocks = 1
"#;

const SIX_STEPS: &str = "
steps = 6
batch = 2
ema_decay = 0.9
warmup_steps = 2
decay_steps = 3
";

/// A config for songs in `folder`, with its run in `folder/output`.
fn write_config(folder: &Path, output: &str, extra: &str) -> std::path::PathBuf {
    write_config_of(folder, output, DEMUCS, SIX_STEPS, extra)
}

fn write_config_of(
    folder: &Path,
    output: &str,
    model: &str,
    optimiser: &str,
    extra: &str,
) -> std::path::PathBuf {
    let root = folder.display();
    let text = format!(
        r#"
output = "{root}/{output}"
seed = 5
threads = 1
[card]
data = "sine waves"
licence = "CC0-1.0"
[model]{model}
sample_rate = {RATE_HZ}
segment_frames = 2000
[optimiser]{optimiser}
[augment]
remix = 0.5
repitch = {{ probability = 0.0 }}
[validation]
every_steps = 3
save_every_steps = 2
segments_per_song = 2
[[data.train]]
path = "{root}/train"
[[data.valid]]
path = "{root}/valid"
stems = ["drums", "vocals"]
{extra}
"#
    );
    let path = folder.join(format!("{output}.toml"));
    fs::write(&path, text).unwrap();
    path
}

fn train(config: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command
        .arg("train")
        .arg("--config")
        .arg(config)
        .args(arguments);
    command.output().unwrap()
}

fn assert_ok(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Guards against anything that a resumed run forgets: moments, averages, step, data order; and
/// against networks that do not run in 16 bits, which autocast gives some of their layers only.
#[test]
fn resuming_equals_never_having_stopped() {
    let bf16 = "[compute]\nprecision = \"bf16\"\n";
    let again = "[compute]\nprecision = \"bf16\"\nrecompute = true\n";
    for (model, compute) in [
        (DEMUCS, ""),
        (LIVE_DEMUCS, ""),
        (LIVE_BAND_SPLIT, ""),
        (DEMUCS, again),
        (LIVE_DEMUCS, bf16),
        (LIVE_BAND_SPLIT, bf16),
    ] {
        let folder = songs();
        let whole = write_config_of(folder.path(), "whole", model, SIX_STEPS, compute);
        let parts = write_config_of(folder.path(), "parts", model, SIX_STEPS, compute);
        assert_ok(&train(&whole, &[]));
        assert_ok(&train(&parts, &["--stop-after", "2"]));
        assert_ok(&train(&parts, &["--stop-after", "5"]));
        assert_ok(&train(&parts, &[]));
        let load = |run: &str| {
            let path = folder.path().join(run).join("last.safetensors");
            Checkpoint::load(&path, tch::Device::Cpu).unwrap()
        };
        let (whole, parts) = (load("whole"), load("parts"));
        assert_eq!(whole.provenance.steps, 6);
        for (name, tensor) in whole.network.parameters() {
            let resumed = float_values(&parts.network.parameters()[name]);
            assert_eq!(
                float_values(tensor),
                resumed,
                "{name} differs after resuming {model}{compute}"
            );
        }
    }
}

/// Guards against causal networks that run but do not learn: a gradient that is cut off by the
/// state, estimates that lie at another moment than the stems.
#[test]
fn causal_networks_learn() {
    let optimiser = "\nsteps = 24\nbatch = 4\nlearning_rate = 1e-2\n";
    for model in [LIVE_DEMUCS, LIVE_BAND_SPLIT] {
        let folder = songs();
        let config = write_config_of(folder.path(), "run", model, optimiser, "");
        assert_ok(&train(&config, &[]));
        let log = fs::read_to_string(folder.path().join("run/log.jsonl")).unwrap();
        let losses: Vec<f64> = log
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|event| event["event"] == "validation")
            .map(|event| event["scores"]["l1"].as_f64().unwrap())
            .collect();
        println!("{model}{losses:?}");
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < 0.9 * first, "{model}{losses:?}");
    }
}

#[test]
fn a_run_leaves_a_log_a_card_and_lower_loss_is_marked_best() {
    let folder = songs();
    assert_ok(&train(&write_config(folder.path(), "run", ""), &[]));
    let run = folder.path().join("run");
    let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
    let events: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let validations: Vec<_> = events
        .iter()
        .filter(|e| e["event"] == "validation")
        .collect();
    assert_eq!(validations.len(), 2, "steps 3 and 6: {log}");
    let scored: Vec<_> = validations[0]["scores"]["nsdr_db"]["three"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        scored,
        ["drums", "vocals"],
        "only the source's stems are scored"
    );
    let best = Checkpoint::load(&run.join("best.safetensors"), tch::Device::Cpu).unwrap();
    let lowest = validations
        .iter()
        .map(|v| v["scores"]["l1"].as_f64().unwrap())
        .fold(f64::MAX, f64::min);
    assert_eq!(best.provenance.metrics["valid_l1"], lowest);
    assert_eq!(best.licence, "CC0-1.0");
}

#[test]
fn what_is_wrong_with_a_config_is_said() {
    let folder = songs();
    let says = |output: &Output, expected: &str| {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && text.contains(expected),
            "{text}"
        );
    };
    let unknown = write_config(
        folder.path(),
        "unknown",
        "[[data.train]]\npath = \"x\"\nstem = [\"a\"]",
    );
    says(&train(&unknown, &[]), "unknown field `stem`");
    let missing = write_config(
        folder.path(),
        "missing",
        "[[data.train]]\npath = \"no/such/folder\"",
    );
    says(&train(&missing, &[]), "no/such/folder");
    let name = format!(
        "[[data.train]]\npath = \"{}/train\"\nsongs = [\"four\"]",
        folder.path().display()
    );
    says(
        &train(&write_config(folder.path(), "name", &name), &[]),
        "no song \"four\"",
    );
    says(&train(Path::new("no/config.toml"), &[]), "no/config.toml");
}

#[test]
fn a_damaged_state_is_refused_and_kept() {
    let folder = songs();
    let config = write_config(folder.path(), "run", "");
    assert_ok(&train(&config, &["--stop-after", "2"]));
    let state = folder.path().join("run/state.safetensors");
    let bytes = fs::read(&state).unwrap();
    fs::write(&state, &bytes[..bytes.len() / 2]).unwrap();
    let output = train(&config, &[]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("state.safetensors"),
        "{text}"
    );
    assert_eq!(fs::read(&state).unwrap().len(), bytes.len() / 2);
}

/// Guards against a saved state that is not whole at some moment, and against anything that a killed
/// run leaves behind for the one that takes its place: the machine may go at any time.
#[test]
fn a_run_killed_at_random_moments_ends_with_the_same_weights() {
    let folder = songs();
    let optimiser = "\nsteps = 60\nbatch = 2\nema_decay = 0.9\n";
    let loss = "[loss]\nl1 = 1.0\nsi_sdr = 1.0\nbalance = true\n";
    let whole = write_config_of(folder.path(), "whole", DEMUCS, optimiser, loss);
    let killed = write_config_of(folder.path(), "killed", DEMUCS, optimiser, loss);
    assert_ok(&train(&whole, &[]));
    let log = |run: &str| folder.path().join(run).join("log.jsonl");
    // Moments in steps, as the state's file shows them; the kill itself falls anywhere in a step.
    for (kill, after_saves) in [3_u64, 5, 4].into_iter().enumerate() {
        let mut child = Command::new(env!("CARGO_BIN_EXE_trainer"))
            .args(["train", "--config"])
            .arg(&killed)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let state = folder.path().join("killed/state.safetensors");
        let written = || fs::metadata(&state).and_then(|data| data.modified()).ok();
        let (mut last, mut saves) = (written(), 0);
        while saves < after_saves && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_micros(300 + 700 * kill as u64));
            let now = written();
            saves += u64::from(now != last);
            last = now;
        }
        child.kill().unwrap(); // SIGKILL
        assert!(
            !child.wait().unwrap().success(),
            "it was over before it was killed"
        );
    }
    assert_ok(&train(&killed, &[]));
    let bytes = |run: &str| fs::read(folder.path().join(run).join("state.safetensors")).unwrap();
    let (whole_state, killed_state) = (bytes("whole"), bytes("killed"));
    // Behind the header, which holds the seconds, lie the tensors.
    let tensors = |bytes: &[u8]| {
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    assert_eq!(tensors(&whole_state), tensors(&killed_state));
    let steps = |run: &str| -> Vec<u64> {
        let text = fs::read_to_string(log(run)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|event| event["event"] == "validation")
            .map(|event| event["step"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(
        steps("whole"),
        steps("killed"),
        "every validation is logged once"
    );
}

/// Guards against a run that goes on with weights that are not numbers, or loses its last good ones.
#[test]
fn a_training_that_diverges_returns_and_then_gives_up_with_its_state_kept() {
    let folder = songs();
    let optimiser = "\nsteps = 60\nbatch = 2\nlearning_rate = 1e12\nclip_grad_norm = 0.0\n";
    let config = write_config_of(folder.path(), "run", DEMUCS, optimiser, "");
    let output = train(&config, &["--set", "guard.max_returns=2"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    assert!(
        text.contains("returned to its last good state 2 times"),
        "{text}"
    );
    let log = fs::read_to_string(folder.path().join("run/log.jsonl")).unwrap();
    let notices = log
        .lines()
        .filter(|line| line.contains("\"notice\""))
        .count();
    assert_eq!(notices, 2, "{log}");
    // What is kept can be trained further.
    assert_ok(&train(
        &config,
        &["--set", "optimiser.learning_rate=1e-4", "--stop-after", "4"],
    ));
}

/// Guards against parts that count more than their share.
#[test]
fn accumulated_parts_equal_one_batch() {
    let folder = songs();
    let optimiser = "\nsteps = 3\nbatch = 4\n";
    let config = |name: &str| write_config_of(folder.path(), name, DEMUCS, optimiser, "");
    assert_ok(&train(&config("whole"), &[]));
    assert_ok(&train(
        &config("parts"),
        &["--set", "optimiser.accumulate=2"],
    ));
    let load = |run: &str| {
        let path = folder.path().join(run).join("last.safetensors");
        Checkpoint::load(&path, tch::Device::Cpu).unwrap().network
    };
    let (whole, parts) = (load("whole"), load("parts"));
    for (name, tensor) in whole.parameters() {
        let difference = (tensor - &parts.parameters()[name])
            .abs()
            .max()
            .double_value(&[]);
        // Sums in another order; Adam's first steps divide by gradients near 0.
        assert!(difference < 1e-5, "{name}: {difference}");
    }
}

const ADVERSARIAL: &str = r#"
[adversarial]
discriminators = [
    { kind = "spectral", windows = [256], filters = 4 },
    { kind = "context", windows = [256], filters = 4 },
]
head_start_steps = 1
penalty_every = 2
[adversarial.control]
initial_probability = 0.5
"#;

/// Guards against discriminators whose weights, moments, control or draws are forgotten by a
/// resumed run, and against one that is never measured.
#[test]
fn an_adversarial_run_is_measured_and_resumes_bit_for_bit() {
    let folder = songs();
    write_song(&folder.path().join("held-out/four"), 4);
    let extra = format!(
        "{ADVERSARIAL}\n[[data.held_out]]\npath = \"{}/held-out\"\n",
        folder.path().display()
    );
    let config = |name: &str| write_config_of(folder.path(), name, DEMUCS, SIX_STEPS, &extra);
    let measured = ["--set", "validation.measure_every_steps=2"];
    assert_ok(&train(&config("whole"), &measured));
    for stop in ["3", "4", "6"] {
        let arguments = [&measured[..], &["--stop-after", stop]].concat();
        assert_ok(&train(&config("parts"), &arguments));
    }
    let tensors = |run: &str| {
        let bytes = fs::read(folder.path().join(run).join("state.safetensors")).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    assert_eq!(tensors("whole"), tensors("parts"));
    let log = |run: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(folder.path().join(run).join("log.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|event| event["event"] == "overfitting")
            .collect()
    };
    let measured = log("whole");
    assert_eq!(measured, log("parts"));
    assert_eq!(measured.len(), 3);
    let last = &measured[2]["overfitting"]["discriminators"];
    assert_eq!(last[0]["name"], "spectral");
    assert!(last[0]["all"]["held_out_auc"].is_number(), "{last}");
}

/// Guards against a discriminator that overfits unseen.
#[test]
fn discriminators_ask_for_songs_that_nothing_learns_from() {
    let folder = songs();
    let output = train(&write_config(folder.path(), "run", ADVERSARIAL), &[]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("data.held_out"),
        "{text}"
    );
}
