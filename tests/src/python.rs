//! Hosts that are Python modules: DawDreamer and pedalboard. Their cases are in `hosts/*.py`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::own_process::Environment;
use crate::programs;
use crate::table;

/// The Python to run, with [`PACKAGES_VARIABLE`] set by `cargo verify --hosts`.
pub const PYTHON_VARIABLE: &str = "BUNRI_HOST_PYTHON";
/// The folder with the modules.
pub const PACKAGES_VARIABLE: &str = "BUNRI_HOST_PACKAGES";

/// One of the modules, ready to run.
#[derive(Debug)]
pub struct PythonHost {
    /// As in the table.
    name: &'static str,
    /// Its file in `hosts`.
    script: PathBuf,
    python: PathBuf,
    packages: PathBuf,
}

impl PythonHost {
    /// The host whose cases are in that script.
    ///
    /// # Errors
    /// Why it is not there.
    pub fn find(name: &'static str, script: &str) -> Result<Self, String> {
        let variable = |variable| {
            let value = std::env::var_os(variable).map(PathBuf::from);
            value.ok_or_else(|| format!("no {variable}: `cargo verify --hosts` brings the host"))
        };
        Ok(Self {
            name,
            script: Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("hosts")
                .join(script),
            python: variable(PYTHON_VARIABLE)?,
            packages: variable(PACKAGES_VARIABLE)?,
        })
    }

    /// Runs a group of cases in a process of their own, records each, and returns what failed.
    ///
    /// # Panics
    /// If Python cannot be started.
    #[must_use]
    pub fn run(
        &self,
        group: &str,
        vst3: &Path,
        environment: &Environment,
        limit: Duration,
    ) -> Vec<String> {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(&self.python);
        command.arg(&self.script).arg(group);
        command.env("PYTHONPATH", &self.packages);
        // The scripts lie in the checkout, where nothing is to be written.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("BUNRI_TEST_VST3", vst3);
        environment.apply(&mut command, home.path());
        let ended = programs::run(&mut command, limit);

        let mut failed = Vec::new();
        let mut begun = None;
        let mut record = |case: &str, outcome: &str| {
            table::record(case, self.name, outcome);
            if !outcome.starts_with("pass") {
                failed.push(format!("{case}: {outcome}"));
            }
        };
        for line in ended.output.lines() {
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["BEGIN", case] => begun = Some(case),
                ["END", case, outcome] => {
                    record(case, outcome);
                    begun = None;
                }
                _ => {} // the host's own words
            }
        }
        if let Some(fault) = ended.fault() {
            record(begun.unwrap_or(group), &format!("FAILED: {fault}"));
        }
        failed
    }
}
