//! What must be on the system besides Rust, and how it gets there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::install::Cache;

/// A Debian package and how to see, without asking dpkg, that what it brings is there already.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name in Debian.
    pub(crate) name: &'static str,
    /// Said when it is missing.
    pub(crate) purpose: &'static str,
    /// Whether nothing can be built without it.
    pub(crate) required: bool,
    probe: Probe,
}

#[derive(Debug)]
enum Probe {
    /// One of these programs is in `PATH`.
    Program(&'static [&'static str]),
    /// This file exists.
    File(&'static str),
}

const SYSTEM_SOUNDFONT: &str = "/usr/share/sounds/sf2/FluidR3_GM.sf2";

const PACKAGES: [Package; 3] = [
    Package {
        name: "g++",
        purpose: "compiles the C++ side of tch and of the VST3 wrapper",
        required: true,
        probe: Probe::Program(&["c++", "g++"]),
    },
    Package {
        name: "python3-pip",
        purpose: "downloads libtorch",
        required: true,
        probe: Probe::Program(&["pip3", "pip"]),
    },
    Package {
        name: SOUNDFONT_PACKAGE,
        purpose: "plays the instruments of the demo song; without it they are synthesised",
        required: false,
        probe: Probe::File(SYSTEM_SOUNDFONT),
    },
];

const SOUNDFONT_PACKAGE: &str = "fluid-soundfont-gm";

/// The packages that are missing.
pub(crate) fn missing(cache: &Cache) -> Vec<&'static Package> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let there = |package: &Package| match package.probe {
        Probe::Program(names) => names
            .iter()
            .any(|name| folders.iter().any(|folder| folder.join(name).is_file())),
        Probe::File(path) => Path::new(path).is_file() || cache.soundfont().is_file(),
    };
    PACKAGES.iter().filter(|package| !there(package)).collect()
}

/// The line that installs these packages, for somebody with the rights to do so.
pub(crate) fn install_line(packages: &[&Package]) -> String {
    let names: Vec<_> = packages.iter().map(|package| package.name).collect();
    format!("sudo apt-get install {}", names.join(" "))
}

/// Installs packages as root; as somebody else says the line to run, and brings what needs no
/// rights. Optional packages that cannot be had are warned about, no more.
///
/// # Errors
/// A required package is still missing.
pub(crate) fn provide(packages: &[&'static Package], cache: &Cache) -> Result<()> {
    for package in packages {
        eprintln!("missing: {} ({})", package.name, package.purpose);
    }
    let has_apt = Path::new("/usr/bin/apt-get").exists();
    if has_apt && rustix::process::geteuid().is_root() {
        let mut failed = apt_get(&["update"]).is_err();
        failed |= apt_get(
            &[
                &["install", "--yes", "--no-install-recommends"],
                &names(packages)[..],
            ]
            .concat(),
        )
        .is_err();
        if failed {
            eprintln!("apt-get did not succeed: see above");
        }
    } else if has_apt
        && packages
            .iter()
            .any(|package| package.name == SOUNDFONT_PACKAGE)
        && let Err(error) = soundfont_without_root(cache)
    {
        eprintln!("the soundfont cannot be fetched without root: {error:#}");
    }

    let still = missing(cache);
    let (required, optional): (Vec<_>, Vec<_>) = packages
        .iter()
        .filter(|package| still.iter().any(|other| other.name == package.name))
        .partition(|package| package.required);
    if !optional.is_empty() {
        eprintln!(
            "going on without {}; to have it: {}",
            names(&optional).join(", "),
            install_line(&optional)
        );
    }
    if !required.is_empty() {
        bail!(
            "still missing: {}. Run\n  {}",
            names(&required).join(", "),
            install_line(&required)
        );
    }
    Ok(())
}

fn names(packages: &[&'static Package]) -> Vec<&'static str> {
    packages.iter().map(|package| package.name).collect()
}

/// Runs apt-get with its own progress on the screen.
pub(crate) fn apt_get(arguments: &[&str]) -> Result<()> {
    eprintln!("apt-get {}", arguments.join(" "));
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .context("cannot start apt-get")?;
    if !status.success() {
        bail!("apt-get {} gave {status}", arguments.join(" "));
    }
    Ok(())
}

/// Takes the soundfont out of its package into the cache: anybody may download a package.
fn soundfont_without_root(cache: &Cache) -> Result<()> {
    let held = cache.lock()?;
    let scratch = cache.scratch(&held)?;
    eprintln!("fetching the soundfont into {}", cache.root().display());
    let status = Command::new("apt-get")
        .args(["download", SOUNDFONT_PACKAGE])
        .current_dir(scratch.path())
        .status()?;
    if !status.success() {
        bail!("apt-get download gave {status}");
    }
    let package = fs::read_dir(scratch.path())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "deb"))
        .context("apt-get left no package")?;
    let unpacked = scratch.path().join("unpacked");
    let status = Command::new("dpkg-deb")
        .arg("-x")
        .arg(&package)
        .arg(&unpacked)
        .status()?;
    if !status.success() {
        bail!("dpkg-deb gave {status}");
    }
    let font = unpacked.join(SYSTEM_SOUNDFONT.trim_start_matches('/'));
    fs::rename(&font, cache.soundfont()).context("the package holds no soundfont")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_run_names_every_package() {
        let all: Vec<_> = PACKAGES.iter().collect();
        let line = install_line(&all);
        assert_eq!(
            line,
            "sudo apt-get install g++ python3-pip fluid-soundfont-gm"
        );
    }
}
