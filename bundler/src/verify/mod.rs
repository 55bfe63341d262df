//! `cargo verify`: all that CI checks, in the order that fails soonest and compiles least.
//!
//! Everything happens in the dev profile with the features of the whole workspace, so that clippy,
//! the documentation, the libraries that the host tests load and the tests themselves share one
//! build of each dependency, libtorch's C++ side above all.

mod ffmpeg;
mod hosts;
mod licences;
mod repository;
mod table;
mod tests;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::setup::{self, Scope};
use table::Table;
use tests::Outcome;

/// Runs every step, up to the first that fails, and prints the table of hosts, a closing table and the
/// tests' counts.
///
/// `hosts` adds the tests that are ignored because they need hosts from elsewhere, or time.
///
/// # Errors
/// Names the step that failed.
pub(crate) fn run(checkout: &Checkout, hosts: bool) -> Result<()> {
    let mut report = Report::default();
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let file = folder.path().join("hosts.tsv");
    let result = steps(checkout, hosts, &file, &mut report);
    let table = Table::read(&file);
    if !table.is_empty() {
        println!("\n{table}");
    }
    report.print();
    result
}

fn steps(checkout: &Checkout, hosts: bool, table: &Path, report: &mut Report) -> Result<()> {
    let cargo = |arguments: &[&str]| {
        let mut command = checkout.cargo_at_root();
        command.args(arguments);
        command
    };

    report.step("set-up", || {
        setup::run(checkout, None, Scope::Required).map(drop)
    })?;
    report.step("repository", || repository::check(checkout.root()))?;
    report.step("format", || must_pass(cargo(&["fmt", "--all", "--check"])))?;
    report.step("clippy", || {
        must_pass(cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    report.step("documentation", || {
        let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
        command.env("RUSTDOCFLAGS", "-D warnings");
        must_pass(command)
    })?;
    report.step("licences", || licences::check(checkout))?;
    // With the tests, so that features agree with theirs: plugin, engine and bounce are not only
    // linked into tests but loaded and started by them.
    report.step("build", || {
        must_pass(cargo(&[
            "build",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
        ]))
    })?;
    let ran = report.step("tests", || {
        tests::run_all(checkout, &ffmpeg::bring(), table)
    })?;
    report.count(ran)?;
    let ran = report.step("doc tests", || tests::run_documented(checkout))?;
    report.count(ran)?;
    if hosts {
        let brought = report.step("hosts' set-up", || Ok(hosts::bring()))?;
        let ran = report.step("hosts", || tests::run_hosts(checkout, &brought, table))?;
        report.counted.skipped = report
            .counted
            .skipped
            .saturating_sub(ran.passed + ran.failed);
        report.count(ran)?;
    }
    Ok(())
}

/// Runs a command with its output on the screen.
fn must_pass(mut command: Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        bail!("`cargo {}` failed ({status})", arguments.join(" "));
    }
    Ok(())
}

/// What was done, how long it took, and how the tests went.
#[derive(Debug, Default)]
struct Report {
    steps: Vec<(&'static str, Duration, bool)>,
    counted: Outcome,
}

impl Report {
    fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n==> {name}");
        let started = Instant::now();
        let result = work().with_context(|| format!("verify stopped at the step `{name}`"));
        self.steps.push((name, started.elapsed(), result.is_ok()));
        result
    }

    /// Adds up a runner's counts, and fails the step after they are known if a test failed.
    fn count(&mut self, outcome: Outcome) -> Result<()> {
        let passed = outcome.all_passed;
        self.counted.add(outcome);
        if passed {
            return Ok(());
        }
        if let Some((name, _, ok)) = self.steps.last_mut() {
            *ok = false;
            bail!("verify stopped at the step `{name}`: a test failed");
        }
        bail!("a test failed")
    }

    fn print(&self) {
        let total: Duration = self.steps.iter().map(|(_, time, _)| *time).sum();
        println!("\n{:<16}{:>10}", "step", "seconds");
        for (name, time, ok) in &self.steps {
            let verdict = if *ok { "" } else { "  FAILED" };
            println!("{name:<16}{:>10.1}{verdict}", time.as_secs_f64());
        }
        println!("{:<16}{:>10.1}\n", "total", total.as_secs_f64());
        for line in &self.counted.closing_lines {
            println!("{line}");
        }
        let Outcome {
            passed,
            failed,
            skipped,
            ..
        } = self.counted;
        println!("{passed} passed, {failed} failed, {skipped} skipped");
    }
}
