//! How late the shipped models are in each mode, as a host is told it, and whether that is true.

use std::path::Path;
use std::time::Duration;

use bunri_tests::bundle::{Bundles, engine_folder};
use bunri_tests::own_process::{Environment, in_own_process};
use bunri_tests::signals::{assert_near, delayed, noise};
use bunri_tests::{AuxBuses, Format, Pace, PluginHost, Setup, table};

const LIMIT: Duration = Duration::from_secs(300);
const RATES_HZ: [u32; 2] = [44_100, 48_000];
/// More than the model's own rate costs: two resamplers, each a few hundred frames deep.
const RESAMPLING_SECONDS: f64 = 0.02;
/// No causal model that is worth the name is later; a whole-context one in its place is.
const LIVE_SECONDS: f64 = 0.1;

/// Guards against an instance that starts in another mode than the best there is, and against modes that
/// are not as late as their names say, or as the host is told.
#[test]
fn every_mode_is_as_late_as_it_tells() {
    let name = "every_mode_is_as_late_as_it_tells";
    let Some(engine_folder) = engine_folder() else {
        return;
    };
    let environment = || Environment {
        engine_folder: Some(engine_folder),
        model: None,
    };
    in_own_process(name, environment, LIMIT, || {
        let bundles = Bundles::new();
        table::case_with_figure("latency by mode", Format::Clap.host_name(), || {
            latencies(&bundles.path(Format::Clap))
        });
        // It has no other way to the modes than a session: its first one is enough.
        let mut host = Format::Vst3.load(&bundles.path(Format::Vst3));
        let seconds = latency_seconds(host.as_mut(), RATES_HZ[0]);
        assert!(is_first_mode(seconds), "VST3 begins {seconds} s late");
    });
}

fn latencies(bundle: &Path) -> String {
    let mut told = Vec::new();
    for rate_hz in RATES_HZ {
        let mut host = Format::Clap.load(bundle);
        let seconds = latency_seconds(host.as_mut(), rate_hz);
        assert!(is_first_mode(seconds), "a new instance is {seconds} s late");
        let begun = host.save_state();
        // The short ones are heard, too: by the time told, to the frame.
        for (mode, mode_seconds, heard) in [
            ("live", None, true),
            ("studio-0.25", Some(0.25), true),
            ("studio-0.5", Some(0.5), false),
            ("studio-1", Some(1.0), false),
            ("studio-2", Some(2.0), false),
            ("studio-4", Some(4.0), false),
        ] {
            if mode_seconds.is_none() && !has_live_model() {
                println!("skipped: no live model was built in");
                continue;
            }
            host.deactivate();
            assert!(host.load_state(&in_mode(&begun, mode)), "{mode}: refused");
            let seconds = latency_seconds(host.as_mut(), rate_hz);
            let resampling = if rate_hz == RATES_HZ[0] {
                0.0
            } else {
                RESAMPLING_SECONDS
            };
            match mode_seconds {
                // To the frame at the model's rate.
                Some(expected) => assert!(
                    seconds > expected - 1.0 / f64::from(rate_hz)
                        && seconds <= expected + resampling,
                    "{mode} at {rate_hz} Hz is {seconds} s late"
                ),
                None => assert!(seconds < LIVE_SECONDS, "Live is {seconds} s late"),
            }
            if heard {
                assert_true(host.as_mut(), rate_hz, mode);
            }
            let frames = host.latency_frames();
            told.push(format!(
                "{mode} at {rate_hz} Hz: {frames} ({:.1} ms)",
                1000.0 * seconds
            ));
        }
    }
    told.join(", ")
}

/// Activates, and gives the latency that is told.
fn latency_seconds(host: &mut dyn PluginHost, rate_hz: u32) -> f64 {
    host.activate(Setup {
        rate_hz,
        max_block_frames: 64,
        pace: Pace::Offline,
        aux: AuxBuses::Active,
    });
    host.latency_frames() as f64 / f64::from(rate_hz)
}

/// Panics unless the mix is the input, later by what was told.
fn assert_true(host: &mut dyn PluginHost, rate_hz: u32, what: &str) {
    let input = noise(host.latency_frames() + rate_hz as usize / 4, 3);
    let expected = delayed(&input, host.latency_frames());
    let buses = host.process(&input, &[64]);
    // Rounding of four stems and a residual that add up to it; a slip of one frame is 1e-1.
    assert_near(&buses[0], &expected, 1e-5, what);
    let silent = |bus: &bunri_stream::Planar| bus.channels().flatten().all(|&sample| sample == 0.0);
    assert!(!buses[1..].iter().any(silent), "{what}: silent stems");
}

/// Live where there is a model for it, else Studio 1 s.
fn is_first_mode(seconds: f64) -> bool {
    if has_live_model() {
        seconds < LIVE_SECONDS
    } else {
        (seconds - 1.0).abs() < RESAMPLING_SECONDS
    }
}

/// Whether the model's crate finds one when it is built.
fn has_live_model() -> bool {
    let file = "../shared/model/live.safetensors";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file).is_file()
}

/// A CLAP state in another mode: a length, and as much JSON, in which the settings are a text.
fn in_mode(state: &[u8], mode: &str) -> Vec<u8> {
    let (length, json) = state.split_first_chunk().expect("a length");
    let json = std::str::from_utf8(json).expect("JSON");
    assert_eq!(u64::from_le_bytes(*length), json.len() as u64);
    let (before, rest) = json.split_once(r#"\"mode\":\""#).expect("a mode");
    let (_, after) = rest.split_once('\\').expect("the mode's end");
    let json = format!(r#"{before}\"mode\":\"{mode}\{after}"#);
    [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat()
}
