//! What users get: one folder with everything in it, made from scratch every time. An archive of it
//! is given away (`dist`), its `install.sh` installs it (`install`).
//!
//! ```text
//! bunri-0.1.0-linux-x86_64/
//!   README.txt  SHA256SUMS  install.sh
//!   Bunri.clap
//!   Bunri.vst3/Contents/x86_64-linux/Bunri.so
//!   bunri-engine/
//!     libbunri_engine.so  bounce  trainer  bunri-standalone  install.sh
//!     libtorch/           the closure, in one flat folder
//!     licences/
//! ```
//!
//! The default models are built into the engine and the programs.

mod closure;
mod contents;
mod elf;
#[cfg(test)]
mod install_tests;
pub(crate) mod licences;
mod texts;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::layout::{Content, ENGINE_FOLDER, LIBTORCH_FOLDER, NAME, Target};
use crate::products::{Products, replace};
use crate::setup::{self, Flavour, Scope};
use closure::{CUDA_ROOT, Closure};
pub(crate) use contents::Contents;
pub(crate) use texts::install_script;

/// The programs that go beside the engine, each with the crate that it is built from.
const PROGRAMS: [(&str, &str); 3] = [
    ("bunri-trainer", "bounce"),
    ("bunri-trainer", "trainer"),
    ("bunri-standalone", "bunri-standalone"),
];

/// A finished folder.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) folder: PathBuf,
    pub(crate) contents: Contents,
    /// What whoever made it must know about giving it away; nothing where it may be.
    pub(crate) restriction: Option<&'static str>,
}

/// Builds everything and lays it out in `target/package`.
///
/// # Errors
/// The build failed, a library or a licence is missing, or the disk is full.
pub(crate) fn make(checkout: &Checkout, wanted: Option<Flavour>) -> Result<Package> {
    setup::run(checkout, None, Scope::Required)?;
    let (libtorch, flavour) = setup::unpacked(checkout, wanted)?;
    let products = Products::build(checkout, true)?.with_programs(checkout, &PROGRAMS)?;
    let version = env!("CARGO_PKG_VERSION");
    let variant = match flavour {
        Flavour::Cpu => "",
        Flavour::Cuda => "-cuda",
    };
    let name = format!("bunri-{version}-linux-{}{variant}", Target::LINUX.processor);
    let folder = checkout.target_folder()?.join("package").join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    lay_out(&products, &folder)?;
    let engine = folder.join(ENGINE_FOLDER);
    let closure = bring_libraries(&folder, &libtorch, flavour)?;
    licences::write(checkout, &libtorch, flavour, &engine.join("licences"))?;
    let contents = Contents::of(&folder, &closure)?;
    texts::write(&folder, flavour, &contents)?;
    Ok(Package {
        folder,
        contents,
        restriction: licences::restriction(flavour),
    })
}

/// Bundles, engine and programs, without the names of functions and without this machine's folders.
fn lay_out(products: &Products, folder: &Path) -> Result<()> {
    let plugin = products.library("bunri_plugin")?;
    let engine = products.library("bunri_engine")?;
    for (path, content) in Target::LINUX.files(env!("CARGO_PKG_VERSION")) {
        let path = folder.join(path);
        match content {
            Content::Plugin => replace(plugin, &path)?,
            Content::Engine => {
                replace(engine, &path)?;
                elf::set_run_path(&path, "$ORIGIN:$ORIGIN/libtorch")?;
            }
            Content::Text(text) => fs::write(&path, text)?,
        }
        strip(&path)?;
    }
    for (_, name) in PROGRAMS {
        let path = folder.join(ENGINE_FOLDER).join(name);
        replace(products.program(name)?, &path)?;
        // A program that does not link libtorch has none.
        if elf::needs_of(&path)?.run_path.is_some() {
            elf::set_run_path(&path, "$ORIGIN/libtorch")?;
        }
        strip(&path)?;
    }
    Ok(())
}

/// The closure of everything in the package, into the engine's `libtorch` folder. The plugin must not
/// add to it: a host's process is no place for libraries of ours.
fn bring_libraries(folder: &Path, libtorch: &Path, flavour: Flavour) -> Result<Closure> {
    let engine = folder.join(ENGINE_FOLDER);
    let plugin = folder.join(format!("{NAME}.clap"));
    closure::closure(&[plugin], &[], &[])?;
    let mut users = PROGRAMS.map(|(_, name)| engine.join(name)).to_vec();
    users.push(engine.join(Target::LINUX.engine_library()));
    let roots: &[&str] = match flavour {
        Flavour::Cpu => &[],
        Flavour::Cuda => &[CUDA_ROOT],
    };
    let folders = closure::library_folders(libtorch)?;
    let closure = closure::closure(&users, roots, &folders)?;
    let torch = libtorch.join("torch");
    for (name, library) in &closure.libraries {
        let path = engine.join(LIBTORCH_FOLDER).join(name);
        replace(&library.path, &path)?;
        // NVIDIA's licence wants its files passed on as they are; torch's look into a Python
        // installation first, where anything may lie.
        if library.path.starts_with(&torch) {
            elf::set_run_path(&path, "$ORIGIN")?;
            strip(&path)?;
        }
    }
    Ok(closure)
}

/// Removes what only debuggers and linkers read: a fifth of libtorch.
fn strip(path: &Path) -> Result<()> {
    // A wheel's files may be read-only.
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    let status = Command::new("strip")
        .arg("--strip-unneeded")
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .context("cannot start `strip`, which comes with binutils and so with g++")?;
    if !status.success() {
        bail!("strip {} gave {status}", path.display());
    }
    Ok(())
}
