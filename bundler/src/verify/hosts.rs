//! Hosts that nobody here wrote: brought where that is possible, and told where it is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::setup::{Cache, Pip, apt_get};

/// DawDreamer and pedalboard, to the version: their hosts' behaviour is what is tested against. numpy
/// is what they talk with.
const MODULES: [&str; 3] = ["dawdreamer==0.9.0", "pedalboard==0.9.26", "numpy==2.2.6"];
const ARDOUR: &str = "/usr/bin/ardour7-lua";

/// What the tests are told of the hosts.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// The folder with the Python modules.
    packages: Option<PathBuf>,
}

impl Hosts {
    /// Tells the tests, by their variables (`bunri_tests::python`).
    pub(super) fn equip(&self, command: &mut Command) {
        if let Some(packages) = &self.packages {
            command.env("BUNRI_HOST_PYTHON", "python3");
            command.env("BUNRI_HOST_PACKAGES", packages);
        }
    }
}

/// Brings what is missing: the modules into the user's cache, Ardour onto the system if that is ours.
/// What cannot be brought is said here, and its tests say so again.
pub(super) fn bring() -> Hosts {
    if let Err(reason) = ardour() {
        eprintln!("going on without Ardour: {reason:#}");
    }
    match host_modules() {
        Ok(packages) => Hosts {
            packages: Some(packages),
        },
        Err(reason) => {
            eprintln!("going on without DawDreamer and pedalboard: {reason:#}");
            Hosts::default()
        }
    }
}

fn ardour() -> Result<()> {
    if Path::new(ARDOUR).exists() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() || !rustix::process::geteuid().is_root() {
        bail!("it is not installed; `sudo apt-get install ardour` does that");
    }
    apt_get(&["update"])?;
    apt_get(&["install", "--yes", "--no-install-recommends", "ardour"])?;
    if !Path::new(ARDOUR).exists() {
        bail!("Debian's package has no {ARDOUR}: the tests know Ardour 7");
    }
    Ok(())
}

/// The hosts' modules, in a folder named by what is in it and for which Python.
fn host_modules() -> Result<PathBuf> {
    let folder = format!("hosts-{}-{}", python_version()?, MODULES.join("-"));
    python_modules(&folder, &MODULES)
}

/// Python modules by their requirements, in a folder of the cache: it comes by one rename, complete.
pub(super) fn python_modules(folder: &str, requirements: &[&str]) -> Result<PathBuf> {
    let cache = Cache::of_user()?;
    let folder = cache.root().join(folder);
    if folder.is_dir() {
        return Ok(folder);
    }
    let held = cache.lock()?;
    let scratch = cache.scratch(&held)?;
    let list = scratch.path().join("requirements.txt");
    fs::write(&list, requirements.join("\n"))?;
    let mut command = Pip::find()?.command();
    command
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(["--only-binary", ":all:", "--target"])
        .arg(scratch.path().join("modules"))
        .arg("--requirement")
        .arg(&list)
        .stdin(Stdio::null());
    let status = command.status().context("cannot start pip")?;
    if !status.success() {
        bail!("pip gave {status}: is there a network?");
    }
    fs::rename(scratch.path().join("modules"), &folder)?;
    Ok(folder)
}

fn python_version() -> Result<String> {
    let output = Command::new("python3")
        .arg("--version")
        .output()
        .context("cannot start python3")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if version.is_empty() {
        bail!("python3 --version says nothing");
    }
    Ok(version.replace(' ', "-"))
}
