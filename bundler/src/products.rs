//! What cargo builds for users, and where it put it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;

/// Built libraries and programs by the names they have in the workspace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Products {
    libraries: BTreeMap<String, PathBuf>,
    programs: BTreeMap<String, PathBuf>,
}

impl Products {
    /// Builds plugin and engine.
    ///
    /// # Errors
    /// The build failed.
    pub(crate) fn build(checkout: &Checkout, release: bool) -> Result<Self> {
        let packages = ["--package", "bunri-plugin", "--package", "bunri-engine"];
        let mut arguments = vec!["build", "--lib"];
        arguments.extend(packages);
        if release {
            arguments.push("--release");
        }
        let mut products = Products::default();
        products.run(checkout, &arguments)?;
        Ok(products)
    }

    /// Adds programs, each given with the crate that it is built from, optimised. Builds of their own,
    /// so that they share everything with `cargo bounce`'s.
    ///
    /// # Errors
    /// The build failed.
    pub(crate) fn with_programs(
        mut self,
        checkout: &Checkout,
        programs: &[(&str, &str)],
    ) -> Result<Self> {
        for (package, program) in programs {
            self.run(
                checkout,
                &["build", "--release", "--package", package, "--bin", program],
            )?;
        }
        Ok(self)
    }

    /// The shared library of a crate.
    ///
    /// # Errors
    /// There was none among what was built.
    pub(crate) fn library(&self, name: &str) -> Result<&Path> {
        let library = self.libraries.get(name);
        library
            .map(PathBuf::as_path)
            .with_context(|| format!("cargo built no shared library `{name}`"))
    }

    /// A program.
    ///
    /// # Errors
    /// There was none among what was built.
    pub(crate) fn program(&self, name: &str) -> Result<&Path> {
        let program = self.programs.get(name);
        program
            .map(PathBuf::as_path)
            .with_context(|| format!("cargo built no program `{name}`"))
    }

    fn run(&mut self, checkout: &Checkout, arguments: &[&str]) -> Result<()> {
        let output = checkout
            .cargo_at_root()
            .args(arguments)
            .arg("--message-format=json-render-diagnostics")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!("the build failed: see above");
        }
        self.read(&String::from_utf8_lossy(&output.stdout));
        Ok(())
    }

    /// Takes files out of cargo's messages, one JSON object a line.
    fn read(&mut self, messages: &str) {
        for line in messages.lines() {
            let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else {
                continue;
            };
            if message["reason"] != "compiler-artifact" {
                continue;
            }
            let Some(name) = message["target"]["name"].as_str() else {
                continue;
            };
            let files = message["filenames"].as_array().into_iter().flatten();
            let library = files.filter_map(|file| file.as_str()).find(|file| {
                Path::new(file)
                    .extension()
                    .is_some_and(|ending| ending == "so")
            });
            if let Some(library) = library {
                self.libraries.insert(name.to_owned(), library.into());
            }
            if let Some(program) = message["executable"].as_str() {
                self.programs.insert(name.to_owned(), program.into());
            }
        }
    }
}

/// Copies a file and puts the copy in place in one step: a host may have the old one mapped.
///
/// # Errors
/// The disk is full, or the folder cannot be written.
pub(crate) fn replace(source: &Path, destination: &Path) -> Result<()> {
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

    #[test]
    fn libraries_and_programs_are_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"build-script-executed","package_id":"x"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"bunri_plugin"},"#,
            r#""filenames":["/t/libbunri_plugin.so","/t/libbunri_plugin.rlib"],"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"bounce"},"#,
            r#""filenames":["/t/bounce"],"executable":"/t/bounce"}"#,
            "\n",
            "no json\n",
        );
        let mut products = Products::default();
        products.read(messages);
        let plugin = products.library("bunri_plugin").unwrap();
        assert_eq!(plugin, Path::new("/t/libbunri_plugin.so"));
        assert_eq!(products.program("bounce").unwrap(), Path::new("/t/bounce"));
        assert!(products.library("bounce").is_err());
    }
}
