//! The built plugin, laid out on disk as hosts expect it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Format;

/// File name of the plugin's library as cargo builds it.
const LIBRARY: &str = "libbunri_plugin.so";

/// Both bundles in a folder of their own, which goes when this value does.
///
/// The libraries are copies, so that what a test does to its bundle stays with it.
pub struct Bundles {
    folder: TempDir,
}

impl Bundles {
    /// Lays out `Bunri.clap` and `Bunri.vst3`. Panics, saying how to build it, if there is no
    /// plugin.
    #[must_use]
    pub fn new() -> Self {
        let library = plugin_library();
        let folder = tempfile::tempdir().expect("a temporary folder");
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

/// The folder with the engine: `BUNRI_ENGINE_DIR`, or where cargo put it last.
///
/// `None`, with the reason printed, if there is no engine: the test has nothing to run then.
#[must_use]
pub fn engine_folder() -> Option<PathBuf> {
    const ENGINE: &str = "libbunri_engine.so";
    let folders = match std::env::var_os("BUNRI_ENGINE_DIR") {
        Some(folder) => vec![folder.into()],
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
