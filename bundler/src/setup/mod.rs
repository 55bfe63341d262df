//! `cargo bundler setup`: from a fresh machine to one where plain `cargo build` works.
//!
//! ```text
//! package index ─ download ─→ wheels ─ unpack (selection) ─→ scratch ─ rename ─→ cache ←─ .libtorch
//! ```
//!
//! libtorch is unpacked once per version into the user's cache and linked from the checkout.
//! What is ready is left alone, in milliseconds, so that every command may begin with a set-up.

mod debian;
mod digest;
mod download;
mod install;
mod link;
mod selection;
mod unpack;
mod wheels;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::checkout::{Checkout, MISLEADING};
pub(crate) use debian::apt_get;
pub(crate) use download::Pip;
pub(crate) use install::Cache;
use link::LinkState;
pub(crate) use wheels::Flavour;
use wheels::LIBTORCH_VERSION;

pub(crate) use digest::sha256_of;

/// How thorough a set-up is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that the project can use.
    Everything,
    /// Only what nothing can be built without: for checks on a machine that is not one's own.
    Required,
}

/// A machine that is set up.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The soundfont that was fetched into the cache, where the system has none.
    soundfont: Option<PathBuf>,
}

impl Ready {
    /// Tells a program of this project where to find what the set-up brought.
    pub(crate) fn equip(&self, command: &mut Command) {
        if let Some(soundfont) = &self.soundfont
            && env::var_os("BUNRI_SOUNDFONT").is_none()
        {
            command.env("BUNRI_SOUNDFONT", soundfont);
        }
    }
}

/// Brings what is missing. `wanted` asks for a flavour of libtorch; otherwise one that is linked
/// already stays, and a fresh checkout gets the one that suits the machine.
///
/// # Errors
/// Something required is still missing: the message says what to do.
pub(crate) fn run(checkout: &Checkout, wanted: Option<Flavour>, scope: Scope) -> Result<Ready> {
    let cache = Cache::of_user()?;
    let packages: Vec<_> = debian::missing(&cache)
        .into_iter()
        .filter(|package| package.required || scope == Scope::Everything)
        .collect();
    // libtorch takes minutes: without the rights to install packages it can come meanwhile.
    let system = if packages.is_empty() {
        Ok(())
    } else {
        debian::provide(&packages, &cache)
    };
    libtorch(checkout, &cache, wanted)?;
    system?;
    let soundfont = Some(cache.soundfont()).filter(|path| path.is_file());
    Ok(Ready { soundfont })
}

fn libtorch(checkout: &Checkout, cache: &Cache, wanted: Option<Flavour>) -> Result<()> {
    let link = checkout.libtorch_link();
    let flavour = match (link::state(&link, cache), wanted) {
        (LinkState::Ready(flavour), None) => return Ok(()).inspect(|()| hint_cuda(flavour)),
        (LinkState::Ready(flavour), Some(wanted)) if flavour == wanted => return Ok(()),
        (LinkState::ByHand(_), None) => return Ok(()),
        (LinkState::Damaged(flavour, reason), None) => {
            eprintln!("libtorch in the cache is damaged ({reason}): fetching it again");
            flavour
        }
        (_, Some(wanted)) => wanted,
        (LinkState::Missing, None) if has_cuda() => Flavour::Cuda,
        (LinkState::Missing, None) => Flavour::Cpu,
    };
    let had_cuda = link.join(CUDA_LIBRARY).exists();
    let folder = install::install(cache, flavour)?;
    link::point(&link, &folder)?;
    if had_cuda && !link.join(CUDA_LIBRARY).exists() {
        forget_torch_sys(checkout);
    }
    eprintln!(
        "libtorch {LIBTORCH_VERSION} ({}) lies in {}",
        flavour.name(),
        folder.display()
    );
    Ok(())
}

/// An unpacked libtorch and what it serves: the linked one, or the `wanted` flavour out of the cache,
/// where it is put if it is not there yet. The link stays as it is.
///
/// # Errors
/// It cannot be fetched.
pub(crate) fn unpacked(checkout: &Checkout, wanted: Option<Flavour>) -> Result<(PathBuf, Flavour)> {
    let link = checkout.libtorch_link();
    let linked = if link.join(CUDA_LIBRARY).exists() && link.join("nvidia/cudnn/lib").exists() {
        Flavour::Cuda
    } else {
        Flavour::Cpu
    };
    match wanted {
        Some(wanted) if wanted != linked => {
            let cache = Cache::of_user()?;
            Ok((install::install(&cache, wanted)?, wanted))
        }
        _ => Ok((link.canonicalize()?, linked)),
    }
}

const CUDA_LIBRARY: &str = "torch/lib/libtorch_cuda.so";

/// torch-sys remembers to link libtorch_cuda, and does not look again when the link moves.
fn forget_torch_sys(checkout: &Checkout) {
    for profile in ["dev", "release"] {
        let _ = checkout
            .cargo_at_root()
            .args([
                "clean",
                "--quiet",
                "--package",
                "torch-sys",
                "--profile",
                profile,
            ])
            .status();
    }
}

/// Whether there is an NVIDIA GPU with a driver.
fn has_cuda() -> bool {
    Path::new("/dev/nvidia0").exists()
        || Command::new("nvidia-smi")
            .arg("--list-gpus")
            .output()
            .is_ok_and(|answer| answer.status.success() && !answer.stdout.is_empty())
}

fn hint_cuda(flavour: Flavour) {
    // The device file only: asking nvidia-smi each time would take a second.
    if flavour == Flavour::Cpu && Path::new("/dev/nvidia0").exists() {
        eprintln!("this machine has a GPU; `cargo bundler setup --cuda` fetches its libraries");
    }
}

/// Prints what is there and what is missing, changing nothing.
///
/// # Errors
/// Something required is missing.
pub(crate) fn check(checkout: &Checkout) -> Result<()> {
    let cache = Cache::of_user()?;
    let link = checkout.libtorch_link();
    let mut ready = true;
    match link::state(&link, &cache) {
        LinkState::Ready(flavour) => println!(
            "libtorch {LIBTORCH_VERSION} ({}): {}",
            flavour.name(),
            cache.libtorch(flavour).display()
        ),
        LinkState::ByHand(target) => println!("libtorch put there by hand: {}", target.display()),
        LinkState::Damaged(_, reason) => {
            println!("libtorch is damaged: {reason}");
            ready = false;
        }
        LinkState::Missing => {
            println!("libtorch {LIBTORCH_VERSION} is missing");
            ready = false;
        }
    }
    let missing = debian::missing(&cache);
    for package in &missing {
        println!("{} is missing: {}", package.name, package.purpose);
        ready &= !package.required;
    }
    if !missing.is_empty() {
        println!("  {}", debian::install_line(&missing));
    }
    for name in MISLEADING.iter().filter(|name| env::var_os(name).is_some()) {
        println!("{name} is set and would mislead a plain `cargo build`: unset it");
    }
    if !ready {
        bail!("not ready: run `cargo bundler setup`");
    }
    println!("ready");
    Ok(())
}
