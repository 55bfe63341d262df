//! Where this checkout lies, and cargo run inside it with an environment that cannot mislead it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The root of the checkout that this bundler was built from.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    root: PathBuf,
}

/// Variables that would send torch-sys to another libtorch than the pinned one.
pub(crate) const MISLEADING: [&str; 6] = [
    "LIBTORCH_USE_PYTORCH",
    "LIBTORCH_INCLUDE",
    "LIBTORCH_LIB",
    "LIBTORCH_CXX11_ABI",
    "LIBTORCH_STATIC",
    "LIBTORCH_BYPASS_VERSION_CHECK",
];

impl Checkout {
    /// Finds the checkout: cargo says where this crate lies when it runs it, and the compiler said
    /// so when it built it.
    ///
    /// # Errors
    /// The folder is gone.
    pub(crate) fn find() -> Result<Self> {
        let crate_folder = env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .filter(|folder| folder.ends_with("bundler"))
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let root = crate_folder
            .parent()
            .filter(|root| root.join("Cargo.toml").exists())
            .with_context(|| format!("no checkout around {}", crate_folder.display()))?;
        Ok(Checkout {
            root: root.to_owned(),
        })
    }

    /// The folder with the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The link to libtorch that `.cargo/config.toml` points torch-sys to.
    pub(crate) fn libtorch_link(&self) -> PathBuf {
        self.root.join(".libtorch")
    }

    /// cargo, in the caller's folder.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for name in MISLEADING {
            command.env_remove(name);
        }
        // What the outer cargo set for this program is not meant for the inner one.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        // The same value as in `.cargo/config.toml`, which is not read from outside the checkout.
        command.env("LIBTORCH", self.libtorch_link().join("torch"));
        command
    }

    /// cargo, in the root of the checkout.
    pub(crate) fn cargo_at_root(&self) -> Command {
        let mut command = self.cargo();
        command.current_dir(&self.root);
        command
    }

    /// cargo's target folder, wherever the user's configuration puts it.
    ///
    /// # Errors
    /// cargo could not read the workspace.
    pub(crate) fn target_folder(&self) -> Result<PathBuf> {
        let output = self
            .cargo_at_root()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot start cargo")?;
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let folder = metadata["target_directory"]
            .as_str()
            .context("cargo names no target folder")?;
        Ok(PathBuf::from(folder))
    }
}
