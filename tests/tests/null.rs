//! All gains at 0 dB: the main bus is the delayed input.

use std::time::Duration;

use bunri_tests::bundle::{Bundles, engine_folder};
use bunri_tests::own_process::{Environment, in_own_process};
use bunri_tests::signals::{delayed, max_error, noise, peak};
use bunri_tests::{AuxBuses, Format, Pace, STEMS, Setup, table};

const LIMIT: Duration = Duration::from_secs(300);
const SECONDS: usize = 1;
/// A 24-bit recording ends at -144 dBFS, a good converter at -120.
const RESIDUAL_DBFS: f64 = -120.0;

/// Guards against a mix that colours the music where nothing is changed: the built-in model, at its
/// own rate and where rates are converted.
#[test]
fn stems_at_0_db_null_against_the_delayed_input() {
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let environment = || Environment {
        engine_folder: Some(engine_folder),
        model: None,
    };
    let name = "stems_at_0_db_null_against_the_delayed_input";
    in_own_process(name, environment, LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            table::case_with_figure("null test at 0 dB", format.host_name(), || {
                let figures = [44_100, 48_000].map(|rate_hz| {
                    let dbfs = residual_dbfs(format, &bundles, rate_hz);
                    assert!(dbfs < RESIDUAL_DBFS, "{dbfs} dBFS at {rate_hz} Hz");
                    format!("{dbfs:.1} dBFS at {rate_hz} Hz")
                });
                figures.join(", ")
            });
        }
    });
}

fn residual_dbfs(format: Format, bundles: &Bundles, rate_hz: u32) -> f64 {
    let mut host = format.load(&bundles.path(format));
    host.activate(Setup {
        rate_hz,
        max_block_frames: 1024,
        pace: Pace::Offline,
        aux: AuxBuses::Active,
    });
    let latency = host.latency_frames();
    let input = noise(latency + SECONDS * rate_hz as usize, 51);
    let buses = host.process(&input, &[1024]);
    for (bus, stem) in buses[1..].iter().zip(STEMS) {
        assert!(peak(bus).0 > 0.0, "nothing was separated: {stem} is silent");
    }
    let (residual, _) = max_error(&buses[0], &delayed(&input, latency));
    20.0 * f64::from(residual).log10()
}
