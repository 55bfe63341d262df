//! One process per test, under any test runner.
//!
//! The plugin reads its environment (engine, model) and holds one engine per process; a test that
//! wants another engine needs another process. And a plugin that crashes or hangs its host shall
//! fail its own test only, by name.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bundle::{engine_folder, fake_engine};
use crate::checkpoint;

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
    // Also the home of the child's user folders: an engine installed on this machine stays unseen.
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

/// Runs the child to its end; returns its standard error, which is shown as it comes.
fn run_child(name: &str, environment: &Environment, limit: Duration, home: &Path) -> String {
    let mut command = Command::new(std::env::current_exe().expect("the test's own path"));
    command.args(["--exact", name, "--nocapture", "--include-ignored"]);
    command.env(DONE_FILE, home.join(DONE));
    command.env("XDG_DATA_HOME", home);
    set(
        &mut command,
        "BUNRI_ENGINE_DIR",
        environment.engine_folder.as_deref(),
    );
    set(&mut command, "BUNRI_MODEL", environment.model.as_deref());
    command.stderr(Stdio::piped());
    let mut child = command.spawn().expect("the child process");
    let errors = BufReader::new(child.stderr.take().expect("its standard error"));
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        for line in errors.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            eprintln!("{line}");
            said += &line;
            said.push('\n');
        }
        said
    });

    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child's status") {
            break status;
        }
        if started.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{name}: still running after {limit:?}: the plugin hangs its host");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{name}: {status}");
    said.join().expect("the child's standard error")
}

fn set(command: &mut Command, key: &str, value: Option<&Path>) {
    match value {
        Some(value) => command.env(key, OsStr::new(value)),
        None => command.env_remove(key),
    };
}
