//! `cargo bundler bundle`: the plugin in the shapes that hosts look for, with its engine.
//!
//! ```text
//! target/bundled/
//!   Bunri.clap
//!   Bunri.vst3/Contents/x86_64-linux/Bunri.so
//!   bunri-engine/                  found beside either of the two
//!     libbunri_engine.so
//!     libtorch/                    a link into the cache, or copies with --standalone
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::setup::{self, Scope};

/// What kind of bundle is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Optimised, as users get it.
    pub(crate) release: bool,
    /// With copies of libtorch's libraries, so that it can be carried to another machine.
    pub(crate) standalone: bool,
}

/// Builds plugin and engine and lays out both bundles in `target/bundled`.
///
/// # Errors
/// The build failed or the disk is full.
pub(crate) fn run(checkout: &Checkout, options: Options) -> Result<()> {
    setup::run(checkout, None, Scope::Required)?;
    let libraries = build(checkout, options.release)?;
    let library = |name: &str| {
        libraries
            .get(name)
            .with_context(|| format!("cargo built no shared library `{name}`"))
    };
    let bundled = checkout.target_folder()?.join("bundled");
    let parts = Parts {
        plugin: library("bunri_plugin")?,
        engine: library("bunri_engine")?,
        libtorch: &checkout.libtorch_link().canonicalize()?,
    };
    assemble(&parts, &bundled, options.standalone)?;
    println!("{}", bundled.join("Bunri.clap").display());
    println!("{}", bundled.join("Bunri.vst3").display());
    println!("{}", bundled.join(ENGINE_FOLDER).display());
    println!("copy or link the three into ~/.clap and ~/.vst3: the engine belongs beside each");
    Ok(())
}

/// Where the plugin's loader looks: see `engine::search` in bunri-stream.
const ENGINE_FOLDER: &str = "bunri-engine";

/// Builds both shared libraries and gives their paths by crate, as cargo reports them.
fn build(checkout: &Checkout, release: bool) -> Result<BTreeMap<String, PathBuf>> {
    let mut command = checkout.cargo_at_root();
    command.args([
        "build",
        "--package",
        "bunri-plugin",
        "--package",
        "bunri-engine",
        "--lib",
    ]);
    command.arg("--message-format=json-render-diagnostics");
    if release {
        command.arg("--release");
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the build failed: see above");
    }
    Ok(shared_libraries(&String::from_utf8_lossy(&output.stdout)))
}

/// Shared libraries by crate name, out of cargo's messages, one JSON object a line.
fn shared_libraries(messages: &str) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        let files = message["filenames"].as_array().into_iter().flatten();
        let library = files.filter_map(|file| file.as_str()).find(|file| {
            Path::new(file)
                .extension()
                .is_some_and(|ending| ending == "so")
        });
        if let (Some(name), Some(file)) = (message["target"]["name"].as_str(), library) {
            found.insert(name.to_owned(), PathBuf::from(file));
        }
    }
    found
}

/// What bundles are made of.
struct Parts<'a> {
    plugin: &'a Path,
    engine: &'a Path,
    /// The unpacked libtorch, with `torch` and `nvidia` in it.
    libtorch: &'a Path,
}

fn assemble(parts: &Parts<'_>, bundled: &Path, standalone: bool) -> Result<()> {
    replace(parts.plugin, &bundled.join("Bunri.clap"))?;
    replace(
        parts.plugin,
        &bundled.join("Bunri.vst3/Contents/x86_64-linux/Bunri.so"),
    )?;
    let engine_folder = bundled.join(ENGINE_FOLDER);
    replace(parts.engine, &engine_folder.join("libbunri_engine.so"))?;

    let libtorch = engine_folder.join("libtorch");
    if fs::symlink_metadata(&libtorch).is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(&libtorch)?;
    } else if libtorch.exists() {
        fs::remove_dir_all(&libtorch)?;
    }
    if !standalone {
        return symlink(parts.libtorch.join("torch/lib"), &libtorch)
            .with_context(|| format!("cannot write {}", libtorch.display()));
    }
    // One flat folder: libtorch's libraries look for each other, and for CUDA's, beside themselves.
    for source in run_time_libraries(parts.libtorch)? {
        let name = source.file_name().context("a library without a name")?;
        replace(&source, &libtorch.join(name))?;
    }
    Ok(())
}

/// Every library of an unpacked libtorch but the one that only linkers read.
fn run_time_libraries(libtorch: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![libtorch.join("torch/lib")];
    for entry in fs::read_dir(libtorch.join("nvidia"))? {
        folders.push(entry?.path().join("lib"));
    }
    let mut libraries = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let shared = name.ends_with(".so") || name.contains(".so.");
            if path.is_file() && shared && name != "libtorch.so" {
                libraries.push(path);
            }
        }
    }
    Ok(libraries)
}

/// Copies a file and puts the copy in place in one step: a host may have the old one mapped.
fn replace(source: &Path, destination: &Path) -> Result<()> {
    let folder = destination
        .parent()
        .context("a destination without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let fresh = tempfile::Builder::new()
        .suffix(".tmp")
        .tempfile_in(folder)?;
    fs::copy(source, fresh.path())
        .with_context(|| format!("cannot copy {} into {}", source.display(), folder.display()))?;
    fresh
        .persist(destination)
        .with_context(|| format!("cannot replace {}", destination.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
        let (plugin, engine) = (folder.join("libp.so"), folder.join("libe.so"));
        fs::write(&plugin, "plugin").unwrap();
        fs::write(&engine, "engine").unwrap();
        let libtorch = folder.join("cache");
        for path in [
            "torch/lib/libtorch_cpu.so",
            "torch/lib/libtorch.so",
            "nvidia/cu13/lib/libcudart.so.13",
        ] {
            let path = libtorch.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "library").unwrap();
        }
        (plugin, engine, libtorch)
    }

    /// Guards the layout that the plugin's loader and the dynamic linker expect, both kinds after
    /// each other in the same folder.
    #[test]
    fn bundles_have_their_engine_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let (plugin, engine, libtorch) = parts(folder.path());
        let parts = Parts {
            plugin: &plugin,
            engine: &engine,
            libtorch: &libtorch,
        };
        let bundled = folder.path().join("bundled");
        for standalone in [false, true, false] {
            assemble(&parts, &bundled, standalone).unwrap();
            let read = |path: &str| fs::read_to_string(bundled.join(path)).unwrap();
            assert_eq!(read("Bunri.clap"), "plugin");
            assert_eq!(read("Bunri.vst3/Contents/x86_64-linux/Bunri.so"), "plugin");
            assert_eq!(read("bunri-engine/libbunri_engine.so"), "engine");
            assert_eq!(read("bunri-engine/libtorch/libtorch_cpu.so"), "library");
            let linked = bundled.join("bunri-engine/libtorch").is_symlink();
            assert_eq!(linked, !standalone);
            if standalone {
                assert_eq!(read("bunri-engine/libtorch/libcudart.so.13"), "library");
                assert!(!bundled.join("bunri-engine/libtorch/libtorch.so").exists());
            }
        }
        // Following the link must not have emptied the cache.
        assert!(libtorch.join("torch/lib/libtorch_cpu.so").exists());
    }

    #[test]
    fn shared_libraries_are_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"build-script-executed","package_id":"x"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"bunri_plugin"},"#,
            r#""filenames":["/t/libbunri_plugin.so","/t/libbunri_plugin.rlib"]}"#,
            "\n",
            "no json\n",
        );
        let found = shared_libraries(messages);
        assert_eq!(found["bunri_plugin"], Path::new("/t/libbunri_plugin.so"));
    }
}
