//! `cargo bundler bundle`: the plugin in the shapes that hosts look for, with its engine, for whoever
//! works on it: nothing is copied that is large.
//!
//! ```text
//! target/bundled/
//!   Bunri.clap
//!   Bunri.vst3/Contents/x86_64-linux/Bunri.so
//!   bunri-engine/                  found beside either of the two
//!     libbunri_engine.so
//!     libtorch/                    a link into the cache
//! ```
//!
//! `cargo bundler install` and `cargo bundler dist` make what needs no cache and no checkout.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::layout::{Content, ENGINE_FOLDER, LIBTORCH_FOLDER, Target};
use crate::products::{Products, replace};
use crate::setup::{self, Scope};

/// Builds plugin and engine, optimised if `release`, and lays out both bundles in `target/bundled`.
///
/// # Errors
/// The build failed or the disk is full.
pub(crate) fn run(checkout: &Checkout, release: bool) -> Result<()> {
    setup::run(checkout, None, Scope::Required)?;
    let products = Products::build(checkout, release)?;
    let bundled = checkout.target_folder()?.join("bundled");
    let libtorch = checkout.libtorch_link().canonicalize()?;
    assemble(
        products.library("bunri_plugin")?,
        products.library("bunri_engine")?,
        &libtorch,
        &bundled,
    )?;
    for name in ["Bunri.clap", "Bunri.vst3", ENGINE_FOLDER] {
        println!("{}", bundled.join(name).display());
    }
    println!(
        "link the first into ~/.clap, the second into ~/.vst3: the engine is found beside them"
    );
    Ok(())
}

fn assemble(plugin: &Path, engine: &Path, libtorch: &Path, bundled: &Path) -> Result<()> {
    for (path, content) in Target::LINUX.files(env!("CARGO_PKG_VERSION")) {
        let path = bundled.join(path);
        match content {
            Content::Plugin => replace(plugin, &path)?,
            Content::Engine => replace(engine, &path)?,
            Content::Text(text) => fs::write(&path, text)?,
        }
    }
    let link = bundled.join(ENGINE_FOLDER).join(LIBTORCH_FOLDER);
    if fs::symlink_metadata(&link).is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(&link)?;
    } else if link.exists() {
        fs::remove_dir_all(&link)?;
    }
    symlink(libtorch.join("torch/lib"), &link)
        .with_context(|| format!("cannot write {}", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the layout that the plugin's loader and the dynamic linker expect, made twice in the
    /// same folder.
    #[test]
    fn bundles_have_their_engine_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let (plugin, engine) = (folder.path().join("libp.so"), folder.path().join("libe.so"));
        fs::write(&plugin, "plugin").unwrap();
        fs::write(&engine, "engine").unwrap();
        let libtorch = folder.path().join("cache");
        fs::create_dir_all(libtorch.join("torch/lib")).unwrap();
        fs::write(libtorch.join("torch/lib/libtorch_cpu.so"), "library").unwrap();
        let bundled = folder.path().join("bundled");
        for _ in 0..2 {
            assemble(&plugin, &engine, &libtorch, &bundled).unwrap();
            let read = |path: &str| fs::read_to_string(bundled.join(path)).unwrap();
            assert_eq!(read("Bunri.clap"), "plugin");
            assert_eq!(read("Bunri.vst3/Contents/x86_64-linux/Bunri.so"), "plugin");
            assert_eq!(read("bunri-engine/libbunri_engine.so"), "engine");
            assert_eq!(read("bunri-engine/libtorch/libtorch_cpu.so"), "library");
        }
        // Replacing the link must not have emptied the cache.
        assert!(libtorch.join("torch/lib/libtorch_cpu.so").exists());
    }
}
