//! Processes, and what they print.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// One rank.
#[derive(Debug)]
pub(super) struct Rank {
    rank: usize,
    child: Child,
    started: Instant,
    printers: Vec<JoinHandle<()>>,
    /// Once it has ended.
    status: Option<ExitStatus>,
}

/// How long a dead rank's children may keep its output open.
const LAST_LINES: Duration = Duration::from_secs(2);

impl Rank {
    /// Starts this very program with `command` and `variables`.
    pub(super) fn start(
        rank: usize,
        command: &[OsString],
        variables: &[(&str, String)],
    ) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program's own file")?;
        let mut child = Command::new(&program)
            .args(command)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting rank {rank}: {}", program.display()))?;
        let mut printers = Vec::new();
        if let Some(lines) = child.stdout.take() {
            printers.push(thread::spawn(move || {
                pass_on(rank, lines, || std::io::stdout().lock());
            }));
        }
        if let Some(lines) = child.stderr.take() {
            printers.push(thread::spawn(move || {
                pass_on(rank, lines, || std::io::stderr().lock());
            }));
        }
        Ok(Self {
            rank,
            child,
            started: Instant::now(),
            printers,
            status: None,
        })
    }

    /// Its process number.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has.
    pub(super) fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let status = self.child.try_wait();
            self.status = status.with_context(|| format!("asking for rank {}", self.rank))?;
            if self.status.is_some() {
                self.print_the_rest();
            }
        }
        Ok(self.status)
    }

    /// Sends a signal, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        if self.status.is_none()
            && let Ok(id) = i32::try_from(self.child.id())
            && let Some(id) = Pid::from_raw(id)
        {
            // It may have ended by now.
            let _ = kill_process(id, signal);
        }
    }

    /// Which rank this is and how it ended, in words.
    pub(super) fn words(&self, status: ExitStatus) -> String {
        let how = match (status.code(), status.signal()) {
            (Some(0), _) => "finished".to_owned(),
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was killed by {}", signal_name(signal)),
            (None, None) => format!("ended with {status}"),
        };
        format!(
            "rank {} (process {}) {how} after {:.1} s",
            self.rank,
            self.child.id(),
            self.started.elapsed().as_secs_f64()
        )
    }

    fn print_the_rest(&mut self) {
        let deadline = Instant::now() + LAST_LINES;
        for printer in self.printers.drain(..) {
            while !printer.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(2));
            }
            if printer.is_finished() {
                let _ = printer.join();
            }
        }
    }
}

/// No rank outlives its launcher's error.
impl Drop for Rank {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Prints what comes line by line, so that the ranks' lines never mix.
fn pass_on<W: Write>(rank: usize, lines: impl Read, lock: impl Fn() -> W) {
    let mut lines = BufReader::new(lines);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|count| count > 0)
    {
        let text = String::from_utf8_lossy(&line);
        // Nobody may read this side any more; the rank must not be stopped by that.
        let _ = writeln!(
            lock(),
            "[rank {rank}] {}",
            text.trim_end_matches(['\n', '\r'])
        );
        line.clear();
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL: out of memory?",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}
