//! An engine whose libtorch is somewhere else, or nowhere. This binary must not link libtorch
//! itself, so it uses nothing of bunri-model.
#![allow(clippy::unwrap_used)] // A test that cannot go on should stop where it stands.

use std::path::Path;

use bunri_stream::engine::search::{LIBTORCH_FOLDER, library_name};
use bunri_stream::engine::{Engine, EngineError, SearchPath};

/// Where this engine was built to find libtorch.
const LIBTORCH: Option<&str> = option_env!("LIBTORCH");

/// A copy of the engine that has forgotten where its libtorch was when it was built.
fn copy_engine_without_run_path(to: &Path, libtorch: &str) {
    let tests = std::env::current_exe().unwrap();
    let mut engine = std::fs::read(tests.with_file_name(library_name())).unwrap();
    let start = engine
        .windows(libtorch.len())
        .position(|window| window == libtorch.as_bytes())
        .expect("the engine's run path names the libtorch it was linked with");
    engine[start..start + libtorch.len()].fill(b'x');
    std::fs::write(to.join(library_name()), engine).unwrap();
}

/// Guards small bundles: the engine travels with the plugin, libtorch is installed once per user.
/// And guards the words where it is not: it is libtorch that is missing, not the engine.
#[test]
fn libtorch_is_found_in_another_folder_of_the_search_path() {
    let Some(libtorch) = LIBTORCH else {
        println!("skipped: built without LIBTORCH, so libtorch is the system's");
        return;
    };
    let bundle = tempfile::tempdir().unwrap();
    copy_engine_without_run_path(bundle.path(), &format!("{libtorch}/lib"));
    let alone = SearchPath::new([bundle.path().to_owned()]);
    match Engine::global_in(&alone) {
        Err(error @ EngineError::Unusable { .. }) => {
            println!("{error}");
            assert!(error.to_string().contains("libtorch is missing"), "{error}");
        }
        Ok(_) => {
            println!("skipped: the system has a libtorch of its own");
            return;
        }
        Err(other) => panic!("{other}"),
    }

    let user = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(format!("{libtorch}/lib"), user.path().join(LIBTORCH_FOLDER))
        .unwrap();
    let both = [bundle.path().to_owned(), user.path().to_owned()];
    let engine = Engine::global_in(&SearchPath::new(both)).unwrap_or_else(|e| panic!("{e}"));
    assert!(engine.path().starts_with(bundle.path()));
}
