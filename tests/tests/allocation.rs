//! Nothing allocates or frees on the audio thread.

use std::time::Duration;

use bunri_tests::bundle::{BUNDLES_VARIABLE, Bundles, engine_folder};
use bunri_tests::checkpoint::{self, SHORT_CHUNK_FRAMES};
use bunri_tests::own_process::{Environment, in_own_process};
use bunri_tests::signals::noise;
use bunri_tests::{AuxBuses, Format, Pace, Setup};

const LIMIT: Duration = Duration::from_secs(60);

/// Guards against dropouts in other people's hosts: in debug builds the plugin aborts its process
/// if its `process` or `reset` touches the heap, and this drives every path of it: start-up, full
/// flow, moving parameters, bypass, reset, a missing model. (Every other test of a debug build
/// does the same in passing.)
#[test]
fn process_never_touches_the_heap() {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let echo = folder.path().join("echo.safetensors");
    checkpoint::echo(&echo, SHORT_CHUNK_FRAMES);
    for model in [echo, folder.path().join("missing.safetensors")] {
        let environment = Environment {
            engine_folder: Some(engine_folder.clone()),
            model: Some(model),
        };
        in_own_process(
            "process_never_touches_the_heap",
            || environment,
            LIMIT,
            drive_everything,
        );
    }
}

fn drive_everything() {
    let bundles = Bundles::new();
    assert_checked(&bundles);
    for format in [Format::Clap, Format::Vst3] {
        let mut host = format.load(&bundles.path(format));
        for (pace, aux) in [
            (Pace::Offline, AuxBuses::Active),
            (Pace::Freewheel, AuxBuses::Inactive),
            (Pace::Live, AuxBuses::Active),
        ] {
            for max_block_frames in [1, 63, 64, 1000, 4096] {
                host.activate(Setup {
                    rate_hz: 48_000,
                    max_block_frames,
                    pace,
                    aux,
                });
                let parameters = host.parameters();
                let input = noise(6000, 1);
                let _ = host.process(&input, &[max_block_frames]);
                for parameter in &parameters {
                    host.set_parameter(&parameter.name, 1.0);
                }
                let _ = host.process(&input, &[max_block_frames]);
                host.reset();
                for parameter in &parameters {
                    host.set_parameter(&parameter.name, parameter.fraction);
                }
                let _ = host.process(&input, &[max_block_frames]);
            }
        }
    }
}

/// Panics in a debug build if the plugin was built without the check: the test could not fail then.
fn assert_checked(bundles: &Bundles) {
    if !cfg!(debug_assertions) || std::env::var_os(BUNDLES_VARIABLE).is_some() {
        println!("a release build does not check for allocations");
        return;
    }
    let library = std::fs::read(bundles.path(Format::Clap)).expect("the plugin");
    let marker = b"nice_assert_no_alloc";
    assert!(
        library.windows(marker.len()).any(|window| window == marker),
        "the plugin was built without nice-plug's assert_process_allocs"
    );
}
