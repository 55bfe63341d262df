//! `cargo bundler install`: what an archive's user does, from a checkout.
//!
//! The package is made as for an archive and installed by its own `install.sh`: one installer, which
//! is tested as users run it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::package::{self, Contents};

/// Builds everything and installs it, into the user's folders or below `prefix`.
///
/// # Errors
/// The build or the installation failed; then what was installed before is still there.
pub(crate) fn install(checkout: &Checkout, prefix: Option<&Path>) -> Result<()> {
    let package = package::make(checkout, None)?;
    run_script(
        &package.folder.join("install.sh"),
        &prefix_arguments(prefix),
    )
}

/// Takes an installation away; needs no build.
///
/// # Errors
/// A folder cannot be changed.
pub(crate) fn uninstall(prefix: Option<&Path>) -> Result<()> {
    let mut script = tempfile::NamedTempFile::new()?;
    script.write_all(package::install_script(&Contents::default()).as_bytes())?;
    let mut arguments = prefix_arguments(prefix);
    arguments.push("--uninstall".into());
    run_script(script.path(), &arguments)
}

fn prefix_arguments(prefix: Option<&Path>) -> Vec<PathBuf> {
    prefix
        .into_iter()
        .flat_map(|prefix| [PathBuf::from("--prefix"), prefix.to_owned()])
        .collect()
}

fn run_script(script: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<()> {
    let status = Command::new("sh")
        .arg(script)
        .args(arguments)
        .status()
        .context("cannot start sh")?;
    if !status.success() {
        bail!("the installation gave {status}: see above");
    }
    Ok(())
}
