//! Licences, sources and banned crates of the dependencies, by `cargo deny` and `deny.toml`.

use std::process::Stdio;

use anyhow::Result;

use super::must_pass;
use crate::checkout::Checkout;

/// Runs cargo-deny where it is installed. Advisories are left out: their database is not part of
/// the checkout, and a verdict should not change from one day to the next.
pub(crate) fn check(checkout: &Checkout) -> Result<()> {
    let mut version = checkout.cargo_at_root();
    version
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !version.status().is_ok_and(|status| status.success()) {
        eprintln!(
            "not checked: cargo-deny is not installed, and building it takes minutes\n\
             (`cargo install cargo-deny --locked` brings it)"
        );
        return Ok(());
    }
    let mut command = checkout.cargo_at_root();
    // The dependencies are on the disk by now, so no index has to be asked.
    command.args(["deny", "--offline", "check", "--hide-inclusion-graph"]);
    command.args(["licenses", "bans", "sources"]);
    must_pass(command)
}
