//! DawDreamer and pedalboard: JUCE's two ways of hosting VST3, as Python modules.

use std::time::Duration;

use bunri_tests::bundle::{Bundles, engine_folder, fake_engine};
use bunri_tests::checkpoint::{self, SHORT_CHUNK_FRAMES};
use bunri_tests::own_process::Environment;
use bunri_tests::python::PythonHost;
use bunri_tests::{Format, table};

/// For a group of cases: several times what it takes on a machine with ten others' work to do. It is there
/// for a host that hangs, and then lost time is the least worry.
const LIMIT: Duration = Duration::from_secs(1800);

macro_rules! hosts {
    ($($name:ident: $host:literal, $script:literal, $not_tried:expr;)*) => {$(
        /// Guards against what only hosts on JUCE do.
        #[test]
        #[ignore = "needs Python modules: `cargo verify --hosts`"]
        fn $name() {
            run_all($host, $script, &$not_tried);
        }
    )*};
}

hosts! {
    dawdreamer: "DawDreamer 0.9 (VST3)", "dawdreamer_cases.py", [
        ("aux buses off", "DawDreamer keeps all buses of this plugin on"),
        ("reset in mid-stream", "DawDreamer has no call for it"),
        ("mono input", "DawDreamer asks for no other layout of this plugin"),
    ];
    pedalboard: "pedalboard 0.9 (VST3)", "pedalboard_cases.py", [
        ("aux buses on", "pedalboard keeps aux buses off"),
    ];
}

/// Cases that a host has no way to ask for, and why.
type NotTried = [(&'static str, &'static str)];

fn run_all(name: &'static str, script: &str, not_tried: &NotTried) {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let host = match PythonHost::find(name, script) {
        Ok(host) => host,
        Err(reason) => return table::skip("all cases", name, &reason),
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("echo.safetensors");
    checkpoint::echo(&model, SHORT_CHUNK_FRAMES);
    let real = Environment {
        engine_folder: Some(engine_folder),
        model: Some(model),
    };
    let missing = Environment {
        engine_folder: Some(folder.path().join("nothing")),
        model: None,
    };
    let fake = fake_engine();
    let faked = |words: &str| {
        let model = fake.path().join(words.replace(' ', "-"));
        std::fs::write(&model, words).expect("the fake model");
        Environment {
            engine_folder: Some(fake.path().to_owned()),
            model: Some(model),
        }
    };
    let bundles = Bundles::new();
    let mut failed = Vec::new();
    for (group, environment) in [
        ("echo", real.clone()),
        ("scan", real),
        ("missing", missing),
        ("stall", faked("hop 2048 stall_ms 2000")),
        ("error", faked("hop 2048 fail_chunks 2")),
    ] {
        failed.extend(host.run(group, &bundles.path(Format::Vst3), &environment, LIMIT));
    }
    for (case, reason) in not_tried {
        table::record(case, name, &format!("not tried: {reason}"));
    }
    assert!(failed.is_empty(), "{name}: {failed:#?}");
}
