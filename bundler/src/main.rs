//! The project's task runner, started through the aliases in `.cargo/config.toml`.
//!
//! | Command | Module | What it does |
//! |---|---|---|
//! | `cargo bundler setup` | [`setup`] | brings libtorch and system packages |
//! | `cargo bounce` | [`bounce`] | set-up, build, separate a file or the demo |
//! | `cargo bundler bundle` | [`bundle`] | build plugin and engine, lay out the bundles |
//! | `cargo bundler install` | [`install`] | build everything, install it for this user |
//! | `cargo bundler dist` | [`dist`] | the same as an archive for other machines |
//! | `cargo bundler validate` | [`validate`] | the host tests on what is installed |
//! | `cargo verify` | [`verify`] | all that CI checks |
//!
//! It depends on no other crate of the workspace, so that it can be built before libtorch is here.

mod bounce;
mod bundle;
mod checkout;
mod dist;
mod install;
mod layout;
mod package;
mod products;
mod progress;
mod setup;
mod validate;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
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
    /// Build the plugin and its engine into `target/bundled`, linked to this machine's libtorch.
    Bundle {
        /// Optimised, as users get it.
        #[arg(long)]
        release: bool,
    },
    /// Build everything and install it into your folders: ~/.clap, ~/.vst3, ~/.local.
    Install {
        /// Below this folder instead: DIR/lib/clap, DIR/lib/vst3, DIR/lib/bunri, DIR/bin.
        #[arg(long, value_name = "DIR")]
        prefix: Option<PathBuf>,
        /// Take it away again.
        #[arg(long)]
        uninstall: bool,
    },
    /// Make an archive for machines without Rust, Python or a network, in `target/dist`.
    Dist(DistArgs),
    /// Run the host tests on installed bundles in place of freshly built ones.
    Validate {
        /// An unpacked archive, `target/bundled`, or the prefix of an installation; without it,
        /// what is installed for you.
        dir: Option<PathBuf>,
        /// Run the tests that need hosts from elsewhere, too.
        #[arg(long)]
        hosts: bool,
    },
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
struct DistArgs {
    /// With CUDA's libraries, whatever is linked here (2.8 GB to download if they are not here yet).
    #[arg(long, conflicts_with = "cpu")]
    cuda: bool,
    /// Without CUDA, whatever is linked here.
    #[arg(long)]
    cpu: bool,
    /// How it is compressed.
    #[arg(long, value_enum, default_value_t = dist::Compression::Gzip)]
    compression: dist::Compression,
}

/// What `--cuda` and `--cpu` ask for.
fn flavour(cuda: bool, cpu: bool) -> Option<Flavour> {
    match (cuda, cpu) {
        (true, _) => Some(Flavour::Cuda),
        (_, true) => Some(Flavour::Cpu),
        _ => None,
    }
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
            setup::run(&checkout, flavour(args.cuda, args.cpu), Scope::Everything)?;
            println!("ready: cargo build, cargo test and cargo bounce work now");
            Ok(())
        }
        Command::Bounce { arguments } => bounce::run(&checkout, &arguments),
        Command::Bundle { release } => bundle::run(&checkout, release),
        Command::Install { prefix, uninstall } => {
            if uninstall {
                install::uninstall(prefix.as_deref())
            } else {
                install::install(&checkout, prefix.as_deref())
            }
        }
        Command::Dist(args) => dist::run(&checkout, flavour(args.cuda, args.cpu), args.compression),
        Command::Validate { dir, hosts } => validate::run(&checkout, dir.as_deref(), hosts),
        Command::Verify { hosts } => verify::run(&checkout, hosts),
    }
}
