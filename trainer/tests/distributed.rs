//! `trainer launch` and torchrun with whole trainings: two ranks are one process, and whatever
//! befalls one of them.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

mod songs;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use bunri_model::Checkpoint;
use bunri_model::checkpoint::float_values;
use rustix::process::{Pid, Signal, kill_process};
use songs::{RATE_HZ, songs};

const TRAINER: &str = env!("CARGO_BIN_EXE_trainer");

/// A run of so many steps in `folder/name`, saved every `save_every` steps.
fn write_config(folder: &Path, name: &str, steps: u64, save_every: u64) -> PathBuf {
    let root = folder.display();
    let text = format!(
        r#"
output = "{root}/{name}"
seed = 5
threads = 1
device = "cpu"
[card]
data = "sine waves"
licence = "CC0-1.0"
[model]
architecture = "demucs"
channels = 4
depth = 2
resample = false
normalize = true
sample_rate = {RATE_HZ}
segment_frames = 2000
[optimiser]
steps = {steps}
batch = 4
clip_grad_norm = 5.0
ema_decay = 0.9
[augment]
remix = 0.5
repitch = {{ probability = 0.0 }}
[validation]
every_steps = 1000000
save_every_steps = {save_every}
segments_per_song = 2
[distributed]
timeout_s = 5
[[data.train]]
path = "{root}/train"
[[data.valid]]
path = "{root}/valid"
"#
    );
    let path = folder.join(name).with_extension("toml");
    fs::write(&path, text).unwrap();
    path
}

/// `program arguments train --config config`.
fn train(program: &str, arguments: &[&str], config: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(["train", "--config"])
        .arg(config)
        .env("OMP_NUM_THREADS", "1")
        .env("GLOO_SOCKET_IFNAME", "lo")
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_ok(output: &Output) {
    assert!(output.status.success(), "{}", text_of(output));
}

/// All weights of a run's last checkpoint, with the steps that it took.
fn weights(folder: &Path, run: &str) -> (Vec<(String, Vec<f32>)>, u64) {
    let path = folder.join(run).join("last.safetensors");
    let checkpoint = Checkpoint::load(&path, tch::Device::Cpu).unwrap();
    let parameters = checkpoint.network.parameters().iter();
    let weights = parameters.map(|(name, tensor)| (name.clone(), float_values(tensor)));
    (weights.collect(), checkpoint.provenance.steps)
}

/// The largest difference between two runs' weights.
fn largest_difference(folder: &Path, one: &str, other: &str) -> f32 {
    let (one, other) = (weights(folder, one).0, weights(folder, other).0);
    let pairs = one
        .iter()
        .zip(&other)
        .flat_map(|((name, one), (_, other))| {
            assert_eq!(one.len(), other.len(), "{name}");
            one.iter().zip(other)
        });
    pairs.fold(0.0, |largest, (one, other)| {
        largest.max((one - other).abs())
    })
}

/// Guards the whole way of a gradient: shares of the batch, the mean over ranks, clipping, the
/// averaged weights. The sums' order differs, so the last digits do.
#[test]
fn two_ranks_equal_one_process() {
    let folder = songs();
    let run = |name, program, arguments: &[&str]| {
        let config = write_config(folder.path(), name, 20, 1000);
        train(program, arguments, &config).output()
    };
    assert_ok(&run("one", TRAINER, &[]).unwrap());
    assert_ok(&run("two", TRAINER, &["launch", "--nproc", "2", "--"]).unwrap());
    let difference = largest_difference(folder.path(), "one", "two");
    println!("launch: largest difference after 20 steps: {difference:e}");
    assert!(difference < 1e-5, "{difference:e}");
    let arguments = ["--nproc-per-node", "2", "--no-python", TRAINER];
    match run("torchrun", "torchrun", &arguments) {
        Err(_) => println!("skipped: torchrun is not in PATH"),
        Ok(output) => {
            assert_ok(&output);
            let difference = largest_difference(folder.path(), "two", "torchrun");
            println!("torchrun: largest difference to launch: {difference:e}");
            assert!(difference < 1e-5, "{difference:e}");
        }
    }
}

/// A training under `trainer launch` that this test does harm to.
struct Launch {
    child: std::process::Child,
    lines: BufReader<std::process::ChildStderr>,
    processes: Vec<i32>,
    /// What it has said so far.
    text: String,
}

impl Launch {
    fn start(arguments: &[&str], config: &Path) -> Self {
        let arguments = [&["launch", "--nproc", "2"], arguments, &["--"]].concat();
        let mut child = train(TRAINER, &arguments, config).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        lines.read_line(&mut text).unwrap();
        let (_, list) = text.trim().split_once("processes ").unwrap();
        let processes = list.split(", ").map(|id| id.parse().unwrap()).collect();
        Self {
            child,
            lines,
            processes,
            text,
        }
    }

    /// Waits until the run in `folder` has saved its state `count` times, then sends the signal to
    /// `rank`.
    fn harm(&mut self, folder: &Path, count: usize, rank: usize, signal: Signal) {
        let written = || {
            let state = fs::metadata(folder.join("state.safetensors"));
            state.and_then(|state| state.modified()).ok()
        };
        let deadline = Instant::now() + Duration::from_secs(120);
        for _ in 0..count {
            let before = written();
            while written() == before {
                assert!(self.child.try_wait().unwrap().is_none(), "it ended early");
                assert!(Instant::now() < deadline, "no state was saved");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        kill_process(Pid::from_raw(self.processes[rank]).unwrap(), signal).unwrap();
    }

    /// What it said, whether it ended well, and after how long.
    fn end(mut self) -> (String, bool, Duration) {
        let started = Instant::now();
        self.lines.read_to_string(&mut self.text).unwrap();
        let is_well = self.child.wait().unwrap().success();
        println!("{:.1} s:\n{}", started.elapsed().as_secs_f64(), self.text);
        (self.text.clone(), is_well, started.elapsed())
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for &process in &self.processes {
            let _ = kill_process(Pid::from_raw(process).unwrap(), Signal::KILL);
        }
    }
}

/// Guards the job that loses a GPU: named by the launcher and by the other rank, and the rest of the
/// ranks go on from the last state to the end.
#[test]
fn a_killed_rank_is_named_and_one_rank_goes_on() {
    let folder = songs();
    let config = write_config(folder.path(), "run", 150, 5);
    let arguments = ["--max-restarts", "1", "--min-nproc", "1"];
    let mut launch = Launch::start(&arguments, &config);
    let victim = launch.processes[1];
    launch.harm(&folder.path().join("run"), 3, 1, Signal::KILL);
    let (text, is_well, _) = launch.end();
    assert!(is_well, "{text}");
    let by_launch = format!("launch: rank 1 (process {victim}) was killed by signal 9");
    assert!(text.contains(&by_launch), "{text}");
    let by_rank = format!("process {victim}) gives no sign of life");
    assert!(
        text.contains("[rank 0] Error: rank 1 (") && text.contains(&by_rank),
        "{text}"
    );
    assert!(
        text.contains("starting again: 1 rank (restart 1 of 1)"),
        "{text}"
    );
    assert!(text.contains("[rank 0] resuming"), "{text}");
    assert_eq!(weights(folder.path(), "run").1, 150);
}

/// Guards the job whose rank hangs: nobody waits longer than the timeout and what it takes to look.
#[test]
fn a_stopped_rank_is_named_and_the_job_ends() {
    let folder = songs();
    let config = write_config(folder.path(), "run", 1_000_000, 5);
    let mut launch = Launch::start(&["--grace", "1"], &config);
    let victim = launch.processes[1];
    launch.harm(&folder.path().join("run"), 3, 1, Signal::STOP);
    let (text, is_well, _) = launch.end();
    assert!(!is_well, "{text}");
    let by_rank = format!("process {victim})");
    assert!(
        text.contains("[rank 0] Error: rank 1 (") && text.contains(&by_rank),
        "{text}"
    );
    assert!(text.contains("no sign of life"), "{text}");
    assert!(folder.path().join("run/state.safetensors").exists());
}

/// Guards preemption: SIGTERM to the launcher lets all ranks finish the step in hand and save.
#[test]
fn sigterm_saves_and_ends_well() {
    let folder = songs();
    let config = write_config(folder.path(), "run", 1_000_000, 5);
    let mut launch = Launch::start(&[], &config);
    launch.processes.insert(0, launch.child.id() as i32);
    launch.harm(&folder.path().join("run"), 2, 0, Signal::TERM);
    let (text, is_well, _) = launch.end();
    assert!(is_well, "{text}");
    assert!(text.contains("stopped at step"), "{text}");
}

/// Guards against ranks that hold their GPUs for ever when whatever started them is killed.
#[test]
fn ranks_do_not_outlive_their_launcher() {
    let folder = songs();
    let config = write_config(folder.path(), "run", 1_000_000, 5);
    let mut launch = Launch::start(&[], &config);
    let ranks = launch.processes.clone();
    launch.processes.insert(0, launch.child.id() as i32);
    launch.harm(&folder.path().join("run"), 2, 0, Signal::KILL);
    let started = Instant::now();
    let is_there = |rank: &i32| {
        let status = fs::read_to_string(format!("/proc/{rank}/cmdline"));
        status.is_ok_and(|line| line.contains("train"))
    };
    while ranks.iter().any(is_there) {
        assert!(started.elapsed() < Duration::from_secs(60), "{ranks:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("gone after {:.1} s", started.elapsed().as_secs_f64());
}

/// Guards the prefix, the exit code and the count of restarts, with a command that fails at once.
#[test]
fn a_command_that_fails_is_tried_as_often_as_asked() {
    let output = Command::new(TRAINER)
        .args(["launch", "--nproc", "2", "--max-restarts", "1", "--"])
        .args(["info", "no-such.safetensors"])
        .output()
        .unwrap();
    let text = text_of(&output);
    assert!(!output.status.success());
    assert_eq!(
        text.matches("launch: 2 ranks, processes").count(),
        2,
        "{text}"
    );
    assert!(text.contains("[rank 0] Error"), "{text}");
    assert!(text.contains("ended with exit code 1"), "{text}");
    assert!(text.contains("restarts: 1"), "{text}");
}
