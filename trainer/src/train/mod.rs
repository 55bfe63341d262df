//! `train`: its command line and entry point.

/// Command line of `train`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the subcommand.
///
/// # Errors
/// None yet.
pub fn run(_args: Args) -> anyhow::Result<()> {
    Ok(())
}
