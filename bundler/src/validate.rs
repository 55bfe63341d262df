//! `cargo bundler validate`: the host tests, on bundles as they are installed in place of those that
//! cargo just built.

use std::env;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::checkout::Checkout;
use crate::layout::{ENGINE_FOLDER, Target};
use crate::setup::{self, Scope};

/// Where the tests look for `Bunri.clap`, `Bunri.vst3` and `bunri-engine`: see `bunri_tests::bundle`.
const VARIABLE: &str = "BUNRI_TEST_BUNDLES";

/// Runs the host tests on what lies in `folder`: an unpacked archive, `target/bundled`, or the prefix
/// of an installation. Without a folder, on what is installed for this user. `hosts` adds the tests
/// that need hosts from elsewhere.
///
/// # Errors
/// There is no installation, or a test failed.
pub(crate) fn run(checkout: &Checkout, folder: Option<&Path>, hosts: bool) -> Result<()> {
    let found = match folder {
        Some(folder) => Found::in_folder(folder)?,
        None => Found::of_user()?,
    };
    println!("{}", found.clap.display());
    println!("{}", found.vst3.display());
    println!("{}", found.engine.display());
    let together = found.together()?;
    setup::run(checkout, None, Scope::Required)?;
    let mut command = checkout.cargo_at_root();
    command
        .args([
            // Unoptimised, as `cargo verify` builds them: it is the bundles that are tested, and with the
            // release's link-time optimisation each of the test programs takes as long as the plugin.
            "test",
            "--package",
            "bunri-tests",
            "--tests",
            "--no-fail-fast",
            "--",
        ])
        // They measure waiting and lateness: each alone, as `.config/nextest.toml` has it, too.
        .arg("--test-threads=1")
        .env(VARIABLE, together.path())
        // Either would take the place of what is to be tested.
        .env_remove("BUNRI_TEST_PLUGIN")
        .env_remove("BUNRI_ENGINE_DIR");
    if hosts {
        command.arg("--include-ignored");
    }
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("a test failed: see above");
    }
    println!("what is installed passes");
    Ok(())
}

/// The three parts of an installation, wherever each of them lies.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    clap: PathBuf,
    vst3: PathBuf,
    engine: PathBuf,
}

impl Found {
    fn in_folder(folder: &Path) -> Result<Self> {
        let folder = folder
            .canonicalize()
            .with_context(|| format!("there is no {}", folder.display()))?;
        // As `install.sh --prefix` lays it out, or all beside each other.
        let prefix = folder.join("lib");
        if prefix.join("bunri/engine").exists() {
            return Found {
                clap: prefix.join("clap/Bunri.clap"),
                vst3: prefix.join("vst3/Bunri.vst3"),
                engine: prefix.join("bunri/engine"),
            }
            .complete();
        }
        Found {
            clap: folder.join("Bunri.clap"),
            vst3: folder.join("Bunri.vst3"),
            engine: folder.join(ENGINE_FOLDER),
        }
        .complete()
    }

    /// Where `install.sh` puts it without options.
    fn of_user() -> Result<Self> {
        let folder = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|path: &PathBuf| path.is_absolute())
        };
        let home = folder("HOME").context("HOME is no absolute path: name the folder")?;
        let data = folder("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        Found {
            clap: home.join(".clap/Bunri.clap"),
            vst3: home.join(".vst3/Bunri.vst3"),
            engine: data.join("bunri/engine"),
        }
        .complete()
    }

    fn complete(self) -> Result<Self> {
        let library = self.engine.join(Target::LINUX.engine_library());
        for path in [&self.clap, &self.vst3, &library] {
            if !path.exists() {
                bail!(
                    "{} is not there: `cargo bundler install` puts it into your folders",
                    path.display()
                );
            }
        }
        Ok(self)
    }

    /// Links to the three in one folder, with the names that the tests look for.
    fn together(&self) -> Result<TempDir> {
        let folder = tempfile::tempdir()?;
        for (name, target) in [
            ("Bunri.clap", &self.clap),
            ("Bunri.vst3", &self.vst3),
            (ENGINE_FOLDER, &self.engine),
        ] {
            symlink(target, folder.path().join(name))?;
        }
        Ok(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn put(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "library").unwrap();
    }

    /// Guards against testing half an installation, or cargo's own build in place of a missing one.
    #[test]
    fn installations_are_found_whole_or_said_to_be_missing() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let beside = root.join("beside");
        put(&beside.join("Bunri.clap"));
        put(&beside.join("Bunri.vst3/Contents/x86_64-linux/Bunri.so"));
        let error = Found::in_folder(&beside).unwrap_err().to_string();
        assert!(error.contains("libbunri_engine.so is not there"), "{error}");
        put(&beside.join("bunri-engine/libbunri_engine.so"));
        assert_eq!(
            Found::in_folder(&beside).unwrap().clap,
            beside.join("Bunri.clap")
        );

        let prefix = root.join("prefix");
        put(&prefix.join("lib/clap/Bunri.clap"));
        put(&prefix.join("lib/vst3/Bunri.vst3/Contents/x86_64-linux/Bunri.so"));
        put(&prefix.join("lib/bunri/engine/libbunri_engine.so"));
        let found = Found::in_folder(&prefix).unwrap();
        let together = found.together().unwrap();
        for path in [
            "Bunri.clap",
            "Bunri.vst3/Contents",
            "bunri-engine/libbunri_engine.so",
        ] {
            assert!(together.path().join(path).exists(), "{path}");
        }
    }
}
