//! How often weights lie in memory. Alone in its binary, because it counts for the whole process.
#![allow(clippy::unwrap_used)] // A test that cannot go on should stop where it stands.

mod fixture;

use bunri_stream::engine::{EngineModel, ModelSource, OpenOptions};
use fixture::{engine, save_small_model};

/// Guards memory: a session with twenty instances must not hold a model of a gigabyte twenty times,
/// nor go on playing an old model after its file was trained anew.
#[test]
fn one_copy_of_each_model_for_as_long_as_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    save_small_model(&path("a"), 1);
    save_small_model(&path("b"), 2);
    std::os::unix::fs::symlink(path("a"), path("link-to-a")).unwrap();
    let open = |name: &str| -> EngineModel {
        engine()
            .open(&ModelSource::File(path(name)), &OpenOptions::default())
            .unwrap()
    };
    let count = || engine().weights_in_memory();

    assert_eq!(count(), 0);
    let first = open("a");
    let second = open("a");
    let linked = open("link-to-a");
    assert_eq!(count(), 1, "three streams through one model");
    let other = open("b");
    assert_eq!(count(), 2);
    drop((first, linked));
    assert_eq!(count(), 2, "a stream still plays");
    drop(second);
    assert_eq!(count(), 1);

    let metadata = std::fs::metadata(path("b")).unwrap();
    let later = metadata.modified().unwrap() + std::time::Duration::from_secs(1);
    save_small_model(&path("b"), 3);
    std::fs::File::options()
        .write(true)
        .open(path("b"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    let retrained = open("b");
    assert_eq!(count(), 2, "the file is another model now");
    drop((other, retrained));
    assert_eq!(count(), 0);
}
