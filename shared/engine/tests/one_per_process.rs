//! Two plugin formats, two copies of the loader, one engine. Alone in its binary: it loads twice.
#![allow(clippy::unwrap_used)] // A test that cannot go on should stop where it stands.
#![allow(unsafe_code)] // Plays the other plugin format, which loads an engine by itself.

mod fixture;

use bunri_stream::engine::search::library_name;
use bunri_stream::engine::{Engine, SearchPath};

/// Guards memory again: the engine inside the VST3 and the one inside the CLAP are two files, and
/// the second would come with its own copy of every model.
#[test]
fn an_engine_that_another_format_loaded_is_taken_over() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [theirs, ours] = folders
        .each_ref()
        .map(|folder| folder.path().join(library_name()));
    for copy in [&theirs, &ours] {
        std::fs::copy(fixture::engine_folder().join(library_name()), copy).unwrap();
    }
    // SAFETY: the engine's initialisers are those of libtorch, made to be loaded.
    let other_format = unsafe { libloading::Library::new(&theirs) }.unwrap();
    let engine = Engine::global_in(&SearchPath::new([folders[1].path().to_owned()])).unwrap();
    assert_eq!(
        engine.path().canonicalize().unwrap(),
        theirs.canonicalize().unwrap()
    );
    assert!(
        engine
            .devices()
            .unwrap()
            .iter()
            .any(|device| device.name == "cpu")
    );
    // Like every engine: libtorch does not survive being unloaded.
    std::mem::forget(other_format);
}
