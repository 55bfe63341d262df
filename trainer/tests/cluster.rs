//! Ranks as processes of their own, which are killed and stopped: what the others say, and when.
//!
//! This test program is its own rank: it starts itself with [`rank`] as the only test.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use bunri_trainer::distributed::{Cluster, DistributedConfig, Environment, Reducer};
use rustix::process::{Pid, Signal, kill_process};
use tch::{Device, Kind, Tensor};

/// Set for ranks: the seconds after which a rank counts as lost.
const TIMEOUT: &str = "BUNRI_TEST_TIMEOUT_S";
/// Set for ranks: the steps that they make.
const STEPS: &str = "BUNRI_TEST_STEPS";

/// No test: what a rank does. Passes unseen where nobody has made this process a rank.
#[test]
fn rank() {
    let Ok(timeout_s) = std::env::var(TIMEOUT) else {
        return;
    };
    let config = DistributedConfig {
        timeout_s: timeout_s.parse().unwrap(),
        join_timeout_s: 60.0,
        ..DistributedConfig::default()
    };
    let steps = std::env::var(STEPS).unwrap().parse().unwrap();
    let place = Environment::read().unwrap().unwrap();
    let cluster = Cluster::join(&place, Device::Cpu, &config).unwrap();
    let result = work(&cluster, steps);
    if let Err(error) = cluster.finish(result) {
        eprintln!("Error: {error:#}");
        std::process::exit(1);
    }
}

/// Steps that take a moment each, for something to happen in the middle of one.
fn work(cluster: &Cluster, steps: u64) -> Result<()> {
    let mut weight = Tensor::ones([64, 64], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let mut reducer = Reducer::new(cluster, std::slice::from_ref(&weight), false)?;
    for step in 1..=steps {
        cluster.at_step(step);
        weight.zero_grad();
        std::thread::sleep(Duration::from_millis(5));
        let loss = weight.square().mean(Kind::Float);
        reducer.backward(cluster, &loss, &loss.ones_like())?;
        println!(
            "\nrank {} of {}: step {step}",
            cluster.rank(),
            cluster.world()
        );
    }
    Ok(())
}

/// A rank that this test started; it does not outlive it.
struct Rank {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Rank {
    fn start(variables: &[(&str, String)], timeout_s: f64, steps: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rank", "--nocapture"])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env(TIMEOUT, timeout_s.to_string())
            .env(STEPS, steps.to_string())
            .env("GLOO_SOCKET_IFNAME", "lo")
            .env("OMP_NUM_THREADS", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads on until it says that it has made so many steps.
    fn wait_for_step(&mut self, step: u64) {
        let wanted = format!(": step {step}");
        let said = self.lines.by_ref().lines().map(Result::unwrap);
        assert!(
            said.into_iter().any(|line| line.ends_with(&wanted)),
            "it ended before step {step}"
        );
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// What it wrote to its standard error, and how long it took from now on to end as a failure.
    fn fails(&mut self) -> (String, Duration) {
        let started = Instant::now();
        let mut text = String::new();
        let mut errors = self.child.stderr.take().unwrap();
        errors.read_to_string(&mut text).unwrap();
        assert!(!self.child.wait().unwrap().success(), "{text}");
        (text, started.elapsed())
    }
}

impl Drop for Rank {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// As torchrun on two machines with one GPU each.
fn torchrun_ranks(world: usize, timeout_s: f64) -> Vec<Rank> {
    let port = free_port();
    let start = |rank: usize| {
        let variables = [
            ("RANK", rank.to_string()),
            ("LOCAL_RANK", "0".to_owned()),
            ("WORLD_SIZE", world.to_string()),
            ("MASTER_ADDR", "localhost".to_owned()),
            ("MASTER_PORT", port.to_string()),
        ];
        Rank::start(&variables, timeout_s, u64::MAX)
    };
    (0..world).map(start).collect()
}

/// Does `harm` to one of two ranks in the middle of the training; what the other one says.
fn harm(victim: usize, timeout_s: f64, signal: Signal) -> (String, Duration, u32) {
    let mut ranks = torchrun_ranks(2, timeout_s);
    for rank in &mut ranks {
        rank.wait_for_step(5);
    }
    ranks[victim].signal(signal);
    let (text, time) = ranks[1 - victim].fails();
    println!("after {:.1} s: {text}", time.as_secs_f64());
    (text, time, ranks[victim].child.id())
}

/// Guards the job on whose ranks the machine runs out of memory. The reason comes long before the
/// timeout: the connection breaks at once.
#[test]
fn a_killed_rank_is_named_at_once() {
    let timeout_s = 30.0;
    let (text, time, process) = harm(1, timeout_s, Signal::KILL);
    assert!(text.contains("rank 1 ("), "{text}");
    assert!(
        text.contains(&format!("process {process}) gives no sign of life")),
        "{text}"
    );
    assert!(time.as_secs_f64() < timeout_s, "{time:?}");
}

/// Guards the same for the rank that hosts the store, where the others' signs of life are.
#[test]
fn a_killed_first_rank_is_named_at_once() {
    let timeout_s = 30.0;
    let (text, time, process) = harm(0, timeout_s, Signal::KILL);
    assert!(text.contains("rank 0 ("), "{text}");
    assert!(
        text.contains(&format!("process {process}), which hosts the store")),
        "{text}"
    );
    assert!(time.as_secs_f64() < timeout_s, "{time:?}");
}

/// Guards the rank that hangs: the connections stand, and nothing comes.
#[test]
fn a_stopped_rank_is_named_after_the_timeout() {
    let (text, _, process) = harm(1, 2.0, Signal::STOP);
    assert!(text.contains(&format!("process {process})")), "{text}");
    assert!(text.contains("no sign of life"), "{text}");
}

/// Guards the same for the host of the store, which then answers nobody.
#[test]
fn a_stopped_first_rank_is_named_after_the_timeout() {
    let (text, _, process) = harm(0, 2.0, Signal::STOP);
    assert!(
        text.contains(&format!("process {process}), which hosts the store")),
        "{text}"
    );
    assert!(text.contains("answer"), "{text}");
}

/// Guards srun's variables from end to end: two tasks on two nodes.
#[test]
fn slurms_tasks_meet() {
    let port = free_port();
    let mut ranks: Vec<Rank> = (0..2)
        .map(|rank: usize| {
            let variables = [
                ("SLURM_PROCID", rank.to_string()),
                ("SLURM_STEP_NUM_TASKS", "2".to_owned()),
                ("SLURM_LOCALID", "0".to_owned()),
                ("SLURM_STEP_NODELIST", "localhost,other".to_owned()),
                ("MASTER_PORT", port.to_string()),
            ];
            Rank::start(&variables, 30.0, 3)
        })
        .collect();
    for rank in &mut ranks {
        rank.wait_for_step(3);
        assert!(rank.child.wait().unwrap().success());
    }
}

/// Guards the store that torchrun hosts, and its names for the variables.
#[test]
fn torchrun_starts_ranks() {
    let torchrun = Command::new("torchrun")
        .args(["--nproc-per-node", "2", "--no-python"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "rank", "--nocapture"])
        .env(TIMEOUT, "30")
        .env(STEPS, "3")
        .output();
    let Ok(output) = torchrun else {
        println!("skipped: torchrun is not in PATH");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for rank in 0..2 {
        assert!(
            text.contains(&format!("rank {rank} of 2: step 3")),
            "{text}"
        );
    }
}
