//! The licences of everything in a package, in files that go with it.
//!
//! ```text
//! licences/
//!   README.txt            what is in the package, from whom, under which terms
//!   LICENSE-{MIT,APACHE}  ours
//!   CRATES.txt            Rust libraries, and the texts that they come with
//!   MODELS.txt            the models inside the engine, as their own cards say
//!   RUST-STANDARD-LIBRARY.html
//!   INTEL-..., GPL-3.0..., GCC-exception...
//!   torch-2.11.0/...      from the wheels that libtorch and CUDA's libraries came in
//! ```

mod crates;
mod models;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::setup::Flavour;

const INTEL: &str = include_str!("../texts/INTEL-SIMPLIFIED-SOFTWARE-LICENCE.txt");
const README: &str = include_str!("../texts/LICENCES.txt");
const README_CUDA: &str = include_str!("../texts/LICENCES-CUDA.txt");

/// Writes the folder.
///
/// # Errors
/// A licence is nowhere to be found: nothing is packed without its licence.
pub(crate) fn write(
    checkout: &Checkout,
    libtorch: &Path,
    flavour: Flavour,
    folder: &Path,
) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&checkout.root().join(name), &folder.join(name))?;
    }
    let readme = match flavour {
        Flavour::Cpu => README.to_owned(),
        Flavour::Cuda => format!("{README}{README_CUDA}"),
    };
    fs::write(folder.join("README.txt"), readme)?;
    fs::write(folder.join("CRATES.txt"), crates::texts(checkout)?)?;
    let models = models::cards(&checkout.root().join("shared/model"))?;
    fs::write(folder.join("MODELS.txt"), models)?;
    fs::write(folder.join("INTEL-SIMPLIFIED-SOFTWARE-LICENCE.txt"), INTEL)?;
    from_toolchain(folder)?;
    from_wheels(libtorch, flavour, folder)
}

/// Rust's standard library is in every one of our files, and its toolchain brings the texts, those
/// of GCC's libraries among them.
fn from_toolchain(folder: &Path) -> Result<()> {
    let answer = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .context("cannot start rustc")?;
    let sysroot = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let documents = Path::new(&sysroot).join("share/doc/rust");
    for (name, source) in [
        ("RUST-STANDARD-LIBRARY.html", "COPYRIGHT-library.html"),
        ("GPL-3.0-or-later.txt", "licenses/GPL-3.0-or-later.txt"),
        ("GCC-exception-3.1.txt", "licenses/GCC-exception-3.1.txt"),
    ] {
        copy(&documents.join(source), &folder.join(name)).context(
            "the Rust toolchain lacks its licence texts; one installed by rustup has them",
        )?;
    }
    Ok(())
}

/// Every wheel keeps its licences in a folder of its own.
fn from_wheels(libtorch: &Path, flavour: Flavour, folder: &Path) -> Result<()> {
    for wheel in flavour.wheels() {
        let information = libtorch.join(wheel.information_folder());
        let texts = texts_below(&information, &|_| true);
        if texts.is_empty() {
            bail!(
                "no licence of {} {} in {}: run `cargo bundler setup` to fetch it again",
                wheel.project,
                wheel.version,
                information.display()
            );
        }
        let to = folder.join(format!("{}-{}", wheel.project, wheel.version));
        for text in texts {
            let to = to.join(text.strip_prefix(&information)?);
            fs::create_dir_all(to.parent().unwrap_or(folder))?;
            copy(&text, &to)?;
        }
    }
    Ok(())
}

/// Files below a folder that are named as licences are; `enter` says which folders are looked into.
fn texts_below(folder: &Path, enter: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && enter(&name) {
            found.extend(texts_below(&path, enter));
        } else if path.is_file() && is_licence(&name) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether a file of this name is a licence, or part of one.
pub(crate) fn is_licence(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let source = [".RS", ".C", ".H", ".CPP", ".PY"];
    [
        "LICENSE",
        "LICENCE",
        "COPYING",
        "COPYRIGHT",
        "NOTICE",
        "UNLICENSE",
        "OFL",
        "UFL",
        "EULA",
    ]
    .iter()
    .any(|beginning| name.starts_with(beginning))
        && !source.iter().any(|ending| name.ends_with(ending))
}

fn copy(source: &Path, destination: &Path) -> Result<()> {
    fs::copy(source, destination).map(drop).with_context(|| {
        format!(
            "cannot copy {} to {}",
            source.display(),
            destination.display()
        )
    })
}
