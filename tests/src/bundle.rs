//! The built plugin, laid out on disk as hosts expect it.

use std::path::{Path, PathBuf};

use bunri_stream::engine::search::ENGINE_FOLDER;
use tempfile::TempDir;

use crate::Format;

/// File name of an engine.
const ENGINE: &str = "libbunri_engine.so";

/// File name of the plugin's library as cargo builds it.
const LIBRARY: &str = "libbunri_plugin.so";

/// A folder with finished bundles (`Bunri.clap`, `Bunri.vst3`, and `bunri-engine` beside them), to be
/// tested in place of what cargo built.
pub const BUNDLES_VARIABLE: &str = "BUNRI_TEST_BUNDLES";

/// Both bundles in a folder of their own, which goes when this value does.
///
/// The libraries are copies, so that what a test does to its bundle stays with it.
pub struct Bundles {
    folder: TempDir,
}

impl Bundles {
    /// Lays out `Bunri.clap` and `Bunri.vst3`: copies of those in the folder that
    /// [`BUNDLES_VARIABLE`] names, else made of what cargo built. No engine comes with them.
    ///
    /// # Panics
    /// If there is no plugin, saying how to build it.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if let Some(built) = given_bundles() {
            for bundle in ["Bunri.clap", "Bunri.vst3"] {
                copy(&built.join(bundle), &folder.path().join(bundle));
            }
            return Self { folder };
        }
        let library = plugin_library();
        let vst3 = folder.path().join("Bunri.vst3/Contents/x86_64-linux");
        std::fs::create_dir_all(&vst3).expect("the VST3 bundle's folders");
        for file in [folder.path().join("Bunri.clap"), vst3.join("Bunri.so")] {
            std::fs::copy(&library, &file).unwrap_or_else(|error| {
                panic!("{} -> {}: {error}", library.display(), file.display())
            });
        }
        Self { folder }
    }

    /// The bundle for a host of that format.
    #[must_use]
    pub fn path(&self, format: Format) -> PathBuf {
        self.folder.path().join(match format {
            Format::Clap => "Bunri.clap",
            Format::Vst3 => "Bunri.vst3",
        })
    }
}

impl Default for Bundles {
    fn default() -> Self {
        Self::new()
    }
}

/// The library file inside a VST3 bundle.
#[must_use]
pub fn vst3_library(bundle: &Path) -> PathBuf {
    bundle.join("Contents/x86_64-linux/Bunri.so")
}

/// The folder of [`BUNDLES_VARIABLE`].
fn given_bundles() -> Option<PathBuf> {
    std::env::var_os(BUNDLES_VARIABLE).map(PathBuf::from)
}

/// Copies a file, or a folder without the engine in it: tests choose their own.
fn copy(from: &Path, to: &Path) {
    let failed = |error| panic!("{} -> {}: {error}", from.display(), to.display());
    if from.is_file() {
        std::fs::copy(from, to).map(drop).unwrap_or_else(failed);
        return;
    }
    std::fs::create_dir(to).unwrap_or_else(failed);
    for entry in
        std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()))
    {
        let name = entry.expect("an entry of the bundle").file_name();
        if name != ENGINE_FOLDER {
            copy(&from.join(&name), &to.join(&name));
        }
    }
}

/// The plugin's library: `BUNRI_TEST_PLUGIN`, or the one that cargo built as a dependency of this
/// test.
fn plugin_library() -> PathBuf {
    if let Some(path) = std::env::var_os("BUNRI_TEST_PLUGIN") {
        return path.into();
    }
    let path = build_folder().join("deps").join(LIBRARY);
    assert!(
        path.is_file(),
        "no plugin at {}: run `cargo build -p bunri-tests --tests`, or point BUNRI_TEST_PLUGIN at one",
        path.display()
    );
    path
}

/// The folder with the engine: `BUNRI_ENGINE_DIR`, or beside the bundles of [`BUNDLES_VARIABLE`], or
/// where cargo put it last.
///
/// `None`, with the reason printed, if there is no engine: the test has nothing to run then.
#[must_use]
pub fn engine_folder() -> Option<PathBuf> {
    let given = std::env::var_os("BUNRI_ENGINE_DIR").map(PathBuf::from);
    let given = given.or_else(|| Some(given_bundles()?.join(ENGINE_FOLDER)));
    let folders = match given {
        Some(folder) => vec![folder],
        // `cargo build` puts it into the first, building it for another crate's tests into the
        // second.
        None => vec![build_folder(), build_folder().join("deps")],
    };
    let built = |folder: &PathBuf| {
        folder
            .join(ENGINE)
            .metadata()
            .and_then(|file| file.modified())
    };
    let newest = folders
        .iter()
        .filter_map(|folder| built(folder).ok().map(|time| (time, folder)))
        .max();
    if newest.is_none() {
        println!(
            "skipped: no {ENGINE} in {folders:?}: run `cargo build -p bunri-engine`, or point \
             BUNRI_ENGINE_DIR at one"
        );
    }
    newest.map(|(_, folder)| folder.clone())
}

/// A folder with the engine that needs no torch and does what `bunri_fake_engine` says.
///
/// # Panics
/// If cargo has not built it.
#[must_use]
pub fn fake_engine() -> TempDir {
    let built = build_folder().join("deps/libbunri_fake_engine.so");
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&built, &folder.path().join(ENGINE));
    folder
}

/// The `bounce` program: beside the engine, or where cargo puts it.
///
/// `None`, with the reason printed, if there is none.
#[must_use]
pub fn bounce_program() -> Option<PathBuf> {
    let folders = engine_folder().into_iter().chain([build_folder()]);
    let program = folders
        .map(|folder| folder.join("bounce"))
        .find(|program| program.is_file());
    if program.is_none() {
        println!("skipped: no `bounce` program: run `cargo build -p bunri-trainer`");
    }
    program
}

/// `target/<profile>`, found from the running test in its `deps`.
fn build_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    test.ancestors()
        .nth(2)
        .expect("target/<profile>/deps/<test>")
        .to_path_buf()
}
