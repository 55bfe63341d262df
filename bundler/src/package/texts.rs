//! The texts of a package: what to do with it, the script that does it, and the checksums.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Contents, PROGRAMS};
use crate::layout::ENGINE_FOLDER;
use crate::setup::{Flavour, sha256_of};

const INSTALL_SCRIPT: &str = include_str!("texts/install.sh");
const README: &str = include_str!("texts/README.txt");
/// Every file's SHA-256, but its own.
const CHECKSUMS: &str = "SHA256SUMS";

/// Writes what people and scripts read first. Last of all, for the checksums are of everything else.
pub(super) fn write(folder: &Path, flavour: Flavour, contents: &Contents) -> Result<()> {
    let (variant, cuda) = match flavour {
        Flavour::Cpu => ("", ""),
        Flavour::Cuda => (
            ", with CUDA",
            " For NVIDIA GPUs, a driver for CUDA 13 (580 or newer); without one it runs on the\n\
             processor. For your own machines only: three of NVIDIA's libraries in it may not be passed on\n\
             (bunri-engine/licences/README.txt).",
        ),
    };
    let readme = README
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@VARIANT@", variant)
        .replace("@CUDA@", cuda)
        .replace("@GLIBC@", &contents.glibc())
        .replace("@LIBSTDCXX@", &contents.libstdcxx())
        .replace("@CONTENTS@", contents.table().trim_end());
    fs::write(folder.join("README.txt"), readme)?;
    // Once more where it stays when the archive is gone.
    for script in [
        folder.join("install.sh"),
        folder.join(ENGINE_FOLDER).join("install.sh"),
    ] {
        fs::write(&script, install_script(contents))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(folder.join(CHECKSUMS), checksums(folder)?)
        .with_context(|| format!("cannot write into {}", folder.display()))
}

/// The script that installs a package with these contents, and removes any.
pub(crate) fn install_script(contents: &Contents) -> String {
    let programs: Vec<_> = PROGRAMS.iter().map(|(_, program)| *program).collect();
    INSTALL_SCRIPT
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@GLIBC@", &contents.glibc())
        .replace("@PROGRAMS@", &programs.join(" "))
}

/// One line a file, as `sha256sum` reads it.
fn checksums(folder: &Path) -> Result<String> {
    let mut lines = String::new();
    for file in super::contents::files_below(folder)? {
        if file != Path::new(CHECKSUMS) {
            lines += &format!("{}  {}\n", sha256_of(&folder.join(&file))?, file.display());
        }
    }
    Ok(lines)
}
