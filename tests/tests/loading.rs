//! A host can open the plugin, see what it is, and close it, at no cost.

use std::time::{Duration, Instant};

use bunri_tests::bundle::{Bundles, engine_folder, vst3_library};
use bunri_tests::checkpoint::SHORT_CHUNK_FRAMES;
use bunri_tests::own_process::{Environment, in_own_process, with_echo_model};
use bunri_tests::{AuxBuses, Format, Pace, STEMS, Setup, table, vst3_bare};

const LIMIT: Duration = Duration::from_secs(60);
const SETUP: Setup = Setup {
    rate_hz: 48_000,
    max_block_frames: 256,
    pace: Pace::Freewheel,
    aux: AuxBuses::Active,
};

/// Guards against stems that arrive under another stem's name in the host's mixer.
#[test]
fn both_formats_show_the_five_buses_by_name() {
    let bundles = Bundles::new();
    for format in [Format::Clap, Format::Vst3] {
        let names = format.load(&bundles.path(format)).output_names();
        assert_eq!(names.len(), 1 + STEMS.len(), "{format:?}: {names:?}");
        for (name, stem) in names[1..].iter().zip(STEMS) {
            assert_eq!(name.to_lowercase(), stem, "{format:?}: {names:?}");
        }
    }
}

/// Guards against a scan of all plugins that takes half a gigabyte and a second for this one.
#[test]
fn a_scan_does_not_load_the_engine() {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    in_own_process(
        "a_scan_does_not_load_the_engine",
        || Environment {
            engine_folder: Some(engine_folder),
            model: None,
        },
        LIMIT,
        || {
            let bundles = Bundles::new();
            let library = vst3_library(&bundles.path(Format::Vst3));
            scan_repeatedly(Format::Clap, || {
                let mut host = Format::Clap.load(&bundles.path(Format::Clap));
                assert!(!host.parameters().is_empty());
                assert_eq!(host.output_names().len(), 1 + STEMS.len());
                let _state = host.save_state();
            });
            // Not `vst3-host`, which activates whatever it loads.
            scan_repeatedly(Format::Vst3, || {
                assert_eq!(vst3_bare::output_names(&library).len(), 1 + STEMS.len());
            });
            let mut host = Format::Clap.load(&bundles.path(Format::Clap));
            // The test can fail: once active, the plugin does load the engine.
            host.activate(SETUP);
            assert!(!loaded_libraries("libbunri_engine").is_empty());
        },
    );
}

/// Guards against threads, files and code that outlive their instance: the library is unmapped and
/// mapped again between the rounds, and a worker still in it would crash the host.
#[test]
fn opening_and_closing_again_and_again_leaves_nothing_running() {
    with_echo_model(
        "opening_and_closing_again_and_again_leaves_nothing_running",
        SHORT_CHUNK_FRAMES,
        LIMIT,
        || {
            let bundles = Bundles::new();
            let mut threads_after = Vec::new();
            for round in 0..6 {
                let format = [Format::Clap, Format::Vst3][round % 2];
                let mut host = format.load(&bundles.path(format));
                host.activate(SETUP);
                let _ = host.process(&bunri_stream::Planar::zeros(2, 4096), &[256]);
                if round % 3 == 0 {
                    host.deactivate();
                }
                drop(host);
                threads_after.push(threads());
            }
            // The first rounds may start what a process keeps (the engine's own threads).
            assert_eq!(
                threads_after[2], threads_after[5],
                "threads after each round: {threads_after:?}"
            );
        },
    );
}

/// Scans 50 times, each time unloading the library; panics if that loads an engine or leaves threads
/// behind. The time is printed, not judged: it is the machine's.
fn scan_repeatedly(format: Format, scan: impl Fn()) {
    const SCANS: u32 = 50;
    table::case_with_figure("scan and unload", format.host_name(), || {
        let before = threads();
        let started = Instant::now();
        (0..SCANS).for_each(|_| scan());
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0 / f64::from(SCANS);
        for library in ["libbunri_engine", "libtorch"] {
            let loaded = loaded_libraries(library);
            assert!(loaded.is_empty(), "a scan loaded {loaded:?}");
        }
        assert_eq!(threads(), before, "threads after {SCANS} scans");
        format!("{milliseconds:.1} ms each")
    });
}

/// Paths of the libraries mapped into this process whose names contain `part`.
fn loaded_libraries(part: &str) -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the memory map");
    maps.lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| path.contains(part))
        .map(str::to_owned)
        .collect()
}

/// Number of threads of this process, once it no longer changes: the system lists a thread for a
/// moment after it was joined.
fn threads() -> usize {
    let count = || {
        std::fs::read_dir("/proc/self/task")
            .expect("the threads")
            .count()
    };
    let mut before = count();
    loop {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let now = count();
        if now == before {
            return now;
        }
        before = now;
    }
}
