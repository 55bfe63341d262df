//! `cargo bounce`: set up, build, separate.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::setup::{self, Scope};

/// Becomes the `bounce` program, in the caller's folder, after bringing all that it needs.
///
/// # Errors
/// The set-up failed or cargo cannot be started; everything later is the program's own exit code.
pub(crate) fn run(checkout: &Checkout, arguments: &[OsString]) -> Result<()> {
    let ready = setup::run(checkout, None, Scope::Everything)?;
    // `cargo run` builds with its progress shown, then becomes the program where the caller is.
    let mut command = checkout.cargo();
    command
        .args([
            "run",
            "--release",
            "--package",
            "bunri-trainer",
            "--bin",
            "bounce",
        ])
        .arg("--manifest-path")
        .arg(checkout.root().join("Cargo.toml"))
        .arg("--")
        .args(arguments);
    ready.equip(&mut command);
    Err(command.exec()).context("cannot start cargo")
}
