//! One process per test, under any test runner.
//!
//! The plugin reads its environment (engine, model) and holds one engine per process; a test that
//! wants another engine needs another process. And a plugin that crashes or hangs its host shall
//! fail its own test only, by name.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bundle::{engine_folder, fake_engine};
use crate::{checkpoint, programs};

/// Where the child leaves word that it ran `body` to its end.
const DONE_FILE: &str = "BUNRI_TEST_DONE_FILE";
/// And under which name.
const DONE: &str = "done";

/// What the plugin finds in its environment.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `BUNRI_ENGINE_DIR`: the folder with the engine.
    pub engine_folder: Option<PathBuf>,
    /// `BUNRI_MODEL`: a model file in place of the embedded one.
    pub model: Option<PathBuf>,
}

impl Environment {
    /// Gives it to a program, with user folders of its own: what is installed on this machine stays
    /// unseen.
    pub fn apply(&self, command: &mut Command, home: &Path) {
        for variable in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(variable, home);
        }
        let engine_folder = self.engine_folder.as_deref();
        set(command, "BUNRI_ENGINE_DIR", engine_folder);
        set(command, "BUNRI_MODEL", self.model.as_deref());
    }
}

/// Runs `body` in a process that starts with `environment`, by running this test program once more
/// for the test `name` alone.
///
/// Called in that child, it only runs `body` and returns `None`; else it returns what the child wrote
/// to its standard error. `name` must be the test's own path as the test program prints it. Panics if
/// the child fails, dies of a signal, takes longer than `limit`, or never came to the end of `body`.
pub fn in_own_process(
    name: &str,
    environment: impl FnOnce() -> Environment,
    limit: Duration,
    body: impl FnOnce(),
) -> Option<String> {
    if let Some(done_file) = std::env::var_os(DONE_FILE) {
        body();
        std::fs::write(done_file, "done").expect("word of the end");
        return None;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let done_file = folder.path().join(DONE);
    let said = run_child(name, &environment(), limit, folder.path());
    assert!(
        done_file.is_file(),
        "{name}: the child ran no test of that name"
    );
    Some(said)
}

/// Like [`in_own_process`], with the engine and an [`echo`](checkpoint::echo) model of so many
/// frames a chunk. Does nothing, with the reason printed, where there is no engine.
pub fn with_echo_model(name: &str, chunk_frames: usize, limit: Duration, body: impl FnOnce()) {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("echo.safetensors");
    checkpoint::echo(&model, chunk_frames);
    let environment = Environment {
        engine_folder: Some(engine_folder),
        model: Some(model),
    };
    in_own_process(name, || environment, limit, body);
}

/// Like [`in_own_process`], with the engine that does what `words` say (`bunri_fake_engine` knows
/// them).
pub fn with_fake_engine(
    name: &str,
    words: &str,
    limit: Duration,
    body: impl FnOnce(),
) -> Option<String> {
    let folder = fake_engine();
    let model = folder.path().join("words.model");
    std::fs::write(&model, words).expect("the fake model");
    let environment = Environment {
        engine_folder: Some(folder.path().to_owned()),
        model: Some(model),
    };
    in_own_process(name, || environment, limit, body)
}

/// Runs the child to its end; returns its standard error.
fn run_child(name: &str, environment: &Environment, limit: Duration, home: &Path) -> String {
    let mut command = Command::new(std::env::current_exe().expect("the test's own path"));
    command.args(["--exact", name, "--nocapture", "--include-ignored"]);
    command.env(DONE_FILE, home.join(DONE));
    environment.apply(&mut command, home);
    let ended = programs::run(&mut command, limit);
    match ended.status {
        Some(status) => assert!(status.success(), "{name}: {status}"),
        None => panic!("{name}: still running after {limit:?}: the plugin hangs its host"),
    }
    ended.errors
}

fn set(command: &mut Command, key: &str, value: Option<&Path>) {
    match value {
        Some(value) => command.env(key, OsStr::new(value)),
        None => command.env_remove(key),
    };
}
