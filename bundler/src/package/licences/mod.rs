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

/// What the licences forbid to do with a package; the texts beside the licences say why.
pub(super) fn restriction(flavour: Flavour) -> Option<&'static str> {
    match flavour {
        Flavour::Cpu => None,
        Flavour::Cuda => Some(
            "for machines of your own: NVIDIA does not let libcufile, libnvJitLink and libnvshmem_host be \
             passed on, and libtorch_cuda cannot be loaded without them. Do not publish it.",
        ),
    }
}

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

/// Every wheel keeps its licences in a folder of its own; one keeps it beside its libraries.
fn from_wheels(libtorch: &Path, flavour: Flavour, folder: &Path) -> Result<()> {
    for wheel in flavour.wheels() {
        let to = folder.join(format!("{}-{}", wheel.project, wheel.version));
        let places = [wheel.information_folder(), wheel.library_folder()];
        let mut found = 0;
        for place in places.map(|place| libtorch.join(place)) {
            if found == 0 {
                for text in texts_below(&place, &|_| true) {
                    let to = to.join(text.strip_prefix(&place)?);
                    fs::create_dir_all(to.parent().unwrap_or(folder))?;
                    copy(&text, &to)?;
                    found += 1;
                }
            }
        }
        if found == 0 {
            bail!(
                "no licence of {} {} in {}: run `cargo bundler setup` to fetch it again",
                wheel.project,
                wheel.version,
                libtorch.display()
            );
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
        } else if path.is_file() && (is_licence(&name) || is_of_a_font(&path)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Fonts come with a text of the same name.
fn is_of_a_font(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "txt") && path.with_extension("ttf").is_file()
}

/// Whether a file of this name is a licence, or part of one.
pub(crate) fn is_licence(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let source = [".RS", ".C", ".H", ".CPP", ".PY"];
    let named_first = [
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
    .any(|beginning| name.starts_with(beginning));
    // `some-font-mit-license.txt`
    let named_last = name.contains("LICENSE") && name.ends_with(".TXT");
    (named_first && !source.iter().any(|ending| name.ends_with(ending))) || named_last
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against an archive with a library whose licence stayed behind, wherever its wheel
    /// keeps it.
    #[test]
    fn every_wheel_must_bring_its_licence() {
        let root = tempfile::tempdir().unwrap();
        let (libtorch, folder) = (root.path().join("libtorch"), root.path().join("licences"));
        let wheels = Flavour::Cuda.wheels();
        let put = |path: PathBuf| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        };
        for wheel in wheels {
            if wheel.project == "nvidia-cusparselt-cu13" {
                continue;
            }
            let information = libtorch.join(wheel.information_folder());
            put(information.join("licenses/License.txt"));
            put(information.join("RECORD"));
        }
        let missing = from_wheels(&libtorch, Flavour::Cuda, &folder).unwrap_err();
        let missing = missing.to_string();
        assert!(
            missing.contains("no licence of nvidia-cusparselt-cu13 0.8.0"),
            "{missing}"
        );

        put(libtorch.join("nvidia/cusparselt/LICENSE.txt"));
        put(libtorch.join("nvidia/cusparselt/lib/libcusparseLt.so.0"));
        from_wheels(&libtorch, Flavour::Cuda, &folder).unwrap();
        for text in [
            "nvidia-cusparselt-cu13-0.8.0/LICENSE.txt",
            "torch-2.11.0/licenses/License.txt",
        ] {
            assert!(folder.join(text).is_file(), "{text}");
        }
        assert!(!folder.join("torch-2.11.0/RECORD").exists());
        assert!(!folder.join("nvidia-cusparselt-cu13-0.8.0/lib").exists());
    }
}
