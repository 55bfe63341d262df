//! How long a user waits after inserting the plugin. Measured, not judged:
//! `cargo nextest run -p bunri-tests --run-ignored only -E 'test(first_sample)' --no-capture`.

use std::time::{Duration, Instant};

use bunri_tests::bundle::{Bundles, engine_folder};
use bunri_tests::own_process::{Environment, in_own_process};
use bunri_tests::signals::noise;
use bunri_tests::{AuxBuses, Format, Pace, Setup, table};

const LIMIT: Duration = Duration::from_secs(120);
const RATE_HZ: u32 = 48_000;
const BLOCK: usize = 512;

/// Prints the times from the loading of the library to the end of the activation, and to the first
/// separated sample of a host that plays: in a fresh process, and for a second instance in it.
#[test]
#[ignore = "a measurement: `cargo verify --hosts`"]
fn time_to_the_first_sample() {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let environment = || Environment {
        engine_folder: Some(engine_folder),
        model: None,
    };
    in_own_process("time_to_the_first_sample", environment, LIMIT, || {
        let bundles = Bundles::new();
        table::case_with_figure("insert to first sample", Format::Clap.host_name(), || {
            let bundle = bundles.path(Format::Clap);
            // The first stays open, as a track's plugin does.
            let (first, fresh) = insert(&bundle);
            let (_second, warm) = insert(&bundle);
            drop(first);
            format!("fresh process {fresh}; second instance {warm}")
        });
    });
}

fn insert(bundle: &std::path::Path) -> (Box<dyn bunri_tests::PluginHost>, String) {
    let started = Instant::now();
    let mut host = Format::Clap.load(bundle);
    host.activate(Setup {
        rate_hz: RATE_HZ,
        max_block_frames: BLOCK,
        pace: Pace::Live,
        aux: AuxBuses::Active,
    });
    let active = started.elapsed();
    let latency = host.latency_frames();
    let first = (0..20 * RATE_HZ as u64 / BLOCK as u64).find_map(|block| {
        let buses = host.process(&noise(BLOCK, block), &[BLOCK]);
        let heard = buses[1..]
            .iter()
            .any(|bus| bus.channels().flatten().any(|&sample| sample != 0.0));
        heard.then(|| started.elapsed())
    });
    // A machine that has no time for the model plays nothing but silence.
    let first = first.map_or("none within 20 s".to_owned(), |first| {
        format!("{:.2} s to the first sample", first.as_secs_f64())
    });
    let figures = format!(
        "{:.2} s to activated, {first} (latency {:.2} s)",
        active.as_secs_f64(),
        latency as f64 / f64::from(RATE_HZ)
    );
    (host, figures)
}
