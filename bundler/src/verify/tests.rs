//! The test runners, and their counts out of what they print.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

use super::ffmpeg::Ffmpeg;
use super::hosts::Hosts;
use super::table;
use crate::checkout::Checkout;

/// Whose summary to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    /// cargo's own.
    Libtest,
    /// cargo-nextest.
    Nextest,
}

/// How a run of tests went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The runner ended well.
    pub(crate) all_passed: bool,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// nextest's own summary, as it printed it.
    pub(crate) closing_lines: Vec<String>,
}

impl Outcome {
    /// Adds another run's counts.
    pub(crate) fn add(&mut self, other: Outcome) {
        let Outcome {
            all_passed,
            passed,
            failed,
            skipped,
            closing_lines,
        } = other;
        self.all_passed &= all_passed;
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
        self.closing_lines.extend(closing_lines);
    }

    /// Takes the counts out of one line, if it is this runner's summary. Each runner's is told
    /// apart, since nextest repeats what a failed test printed, libtest's summary included.
    fn read(&mut self, runner: Runner, line: &str) {
        let plain = without_colours(line);
        match runner {
            Runner::Libtest => {
                if let Some(counts) = plain.strip_prefix("test result:") {
                    self.read_counts(counts);
                }
            }
            Runner::Nextest => {
                if plain.trim_start().starts_with("Summary [")
                    && let Some((_, counts)) = plain.split_once(" run: ")
                {
                    self.read_counts(counts);
                    self.closing_lines.push(plain.trim().to_owned());
                }
            }
        }
    }

    /// Reads `18 passed (1 slow), 2 failed, 1 timed out, 3 skipped` and libtest's likes of it.
    fn read_counts(&mut self, counts: &str) {
        for part in counts.split([',', ';', '.']) {
            let mut words = part.split_whitespace();
            let Some(count) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
                continue;
            };
            match words.next() {
                Some("passed") => self.passed += count,
                Some("failed" | "timed" | "exec") => self.failed += count,
                Some("skipped" | "ignored") => self.skipped += count,
                _ => {}
            }
        }
    }
}

/// All unit and integration tests: with nextest where it is installed, for its time limits and its
/// report, else with cargo's own runner.
pub(super) fn run_all(checkout: &Checkout, ffmpeg: &Ffmpeg, table: &Path) -> Result<Outcome> {
    let mut command = checkout.cargo_at_root();
    command.env(table::FILE_VARIABLE, table);
    ffmpeg.equip(&mut command);
    let runner = runner(checkout);
    command.args(match runner {
        Runner::Nextest => &["nextest", "run", "--workspace"][..],
        Runner::Libtest => &[
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ],
    });
    if runner == Runner::Libtest {
        eprintln!("cargo-nextest is not installed: `cargo test` runs the tests");
    }
    watch(command, runner)
}

/// The examples in the documentation.
pub(crate) fn run_documented(checkout: &Checkout) -> Result<Outcome> {
    let mut command = checkout.cargo_at_root();
    command.args(["test", "--doc", "--workspace"]);
    // Build scripts cannot tell rustdoc's programs where libtorch lies, as they tell all others.
    command.env(
        "LD_LIBRARY_PATH",
        checkout.libtorch_link().join("torch/lib"),
    );
    watch(command, Runner::Libtest)
}

/// The tests that need hosts from elsewhere, or time, and are ignored otherwise. None is skipped: the
/// others had their turn.
pub(crate) fn run_hosts(checkout: &Checkout, hosts: &Hosts, table: &Path) -> Result<Outcome> {
    let mut command = checkout.cargo_at_root();
    command.env(table::FILE_VARIABLE, table);
    hosts.equip(&mut command);
    let runner = runner(checkout);
    if runner == Runner::Nextest {
        command.args(["nextest", "run", "--workspace", "--run-ignored", "only"]);
        command.args(["--no-tests", "pass", "-E", "package(bunri-tests)"]);
    } else {
        command.args(["test", "--package", "bunri-tests", "--", "--ignored"]);
    }
    let outcome = watch(command, runner)?;
    Ok(Outcome {
        skipped: 0,
        ..outcome
    })
}

fn runner(checkout: &Checkout) -> Runner {
    let mut command = checkout.cargo_at_root();
    command
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        Runner::Nextest
    } else {
        Runner::Libtest
    }
}

/// Runs a command with its output on the screen, and reads along.
fn watch(mut command: Command, runner: Runner) -> Result<Outcome> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let errors = child.stderr.take().context("no standard error")?;
    let reader = thread::spawn(move || echo(runner, errors, std::io::stderr()));
    let output = child.stdout.take().context("no standard output")?;
    let mut outcome = echo(runner, output, std::io::stdout());
    if let Ok(heard) = reader.join() {
        outcome.add(heard);
    }
    outcome.all_passed = child.wait()?.success();
    Ok(outcome)
}

/// Copies line by line, reading the counts. A closed screen is no reason to stop reading.
fn echo(runner: Runner, from: impl Read, mut to: impl Write) -> Outcome {
    let mut outcome = Outcome::default();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        outcome.read(runner, &line);
        let _ = writeln!(to, "{line}");
    }
    outcome
}

/// A line without terminal escapes, which `CARGO_TERM_COLOR=always` brings into pipes.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod checks {
    use super::*;

    fn counts(runner: Runner, line: &str) -> (u64, u64, u64) {
        let mut outcome = Outcome::default();
        outcome.read(runner, line);
        (outcome.passed, outcome.failed, outcome.skipped)
    }

    /// Guards the closing line of CI: a count that is not understood would be reported as none.
    #[test]
    fn nextests_summary_is_understood() {
        let counts = |line| counts(Runner::Nextest, line);
        let good = "     Summary [   0.382s] 20 tests run: 20 passed, 0 skipped";
        assert_eq!(counts(good), (20, 0, 0));
        let bad = " Summary [ 9.1s] 24/30 tests run: 18 passed (1 slow, 1 flaky), 5 failed, 1 timed out, 3 skipped";
        assert_eq!(counts(bad), (18, 6, 3));
        let colours = "\u{1b}[32;1m     Summary\u{1b}[0m [ 0.1s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m passed, 1 skipped";
        assert_eq!(counts(colours), (2, 0, 1));
        let mut outcome = Outcome::default();
        outcome.read(Runner::Nextest, good);
        assert_eq!(outcome.closing_lines, [good.trim()]);
    }

    /// Guards against counting twice what nextest repeats of a failed test's own output.
    #[test]
    fn each_runner_is_heard_alone() {
        let failed = "test result: FAILED. 4 passed; 1 failed; 0 ignored";
        assert_eq!(counts(Runner::Nextest, failed), (0, 0, 0));
        assert_eq!(counts(Runner::Libtest, failed), (4, 1, 0));
        let ok = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s";
        assert_eq!(counts(Runner::Libtest, ok), (5, 0, 1));
        assert_eq!(
            counts(Runner::Libtest, "running 5 tests, 3 passed"),
            (0, 0, 0)
        );
    }
}
