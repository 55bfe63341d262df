//! The project's task runner, started through the aliases in `.cargo/config.toml`.
//!
//! | Command | Module | What it does |
//! |---|---|---|
//! | `cargo bundler setup` | [`setup`] | brings libtorch and system packages |
//! | `cargo bounce` | [`bounce`] | set-up, build, separate a file or the demo |
//! | `cargo bundler bundle` | [`bundle`] | build plugin and engine, lay out the bundles |
//! | `cargo verify` | [`verify`] | all that CI checks |
//!
//! It depends on no other crate of the workspace, so that it can be built before libtorch is here.

mod bounce;
mod bundle;
mod checkout;
mod progress;
mod setup;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use checkout::Checkout;
use setup::{Flavour, Scope};

/// Sets up, builds, checks and packs Bunri.
#[derive(Parser)]
#[command(name = "bundler", bin_name = "cargo bundler", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring what is missing on this machine: libtorch, a compiler, a soundfont.
    Setup(SetupArgs),
    /// Separate audio files into stems; without a file, a demo. See `cargo bounce --help`.
    #[command(disable_help_flag = true)]
    Bounce {
        /// Handed on to the bounce program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build the plugin and its engine into `target/bundled`.
    Bundle(BundleArgs),
    /// Check everything that CI checks, up to the first failure.
    Verify {
        /// Run the tests that need hosts from elsewhere, too.
        #[arg(long)]
        hosts: bool,
    },
}

#[derive(Args)]
struct SetupArgs {
    /// Libraries for NVIDIA GPUs, whether or not this machine has one (2.8 GB to download).
    #[arg(long, conflicts_with = "cpu")]
    cuda: bool,
    /// Only what a machine without a GPU needs (544 MB to download).
    #[arg(long)]
    cpu: bool,
    /// Print what is there and what is missing, and change nothing.
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct BundleArgs {
    /// Optimised, as users get it.
    #[arg(long)]
    release: bool,
    /// Copy libtorch's libraries into the bundle in place of a link to them.
    #[arg(long)]
    standalone: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let checkout = Checkout::find()?;
    match command {
        Command::Setup(args) => {
            if args.check {
                return setup::check(&checkout);
            }
            let wanted = match (args.cuda, args.cpu) {
                (true, _) => Some(Flavour::Cuda),
                (_, true) => Some(Flavour::Cpu),
                _ => None,
            };
            setup::run(&checkout, wanted, Scope::Everything)?;
            println!("ready: cargo build, cargo test and cargo bounce work now");
            Ok(())
        }
        Command::Bounce { arguments } => bounce::run(&checkout, &arguments),
        Command::Bundle(BundleArgs {
            release,
            standalone,
        }) => bundle::run(
            &checkout,
            bundle::Options {
                release,
                standalone,
            },
        ),
        Command::Verify { hosts } => verify::run(&checkout, hosts),
    }
}
