//! Input that is no ordinary number.

use std::time::Duration;

use bunri_tests::bundle::Bundles;
use bunri_tests::checkpoint::SHORT_CHUNK_FRAMES;
use bunri_tests::own_process::{Environment, in_own_process, with_echo_model};
use bunri_tests::signals::{assert_near, delayed, strange};
use bunri_tests::{Format, PluginHost, Setup, table};

const LIMIT: Duration = Duration::from_secs(60);
const CASE: &str = "NaN, Inf, denormals";
const FRAMES: usize = 60_000;

/// Guards against one bad sample of another plugin's that silences, or deafens, everything after it.
#[test]
fn outputs_are_numbers_and_soon_right_again() {
    let name = "outputs_are_numbers_and_soon_right_again";
    with_echo_model(name, SHORT_CHUNK_FRAMES, LIMIT, || {
        for_both(|what, host| {
            check(host, SHORT_CHUNK_FRAMES, what);
            host.set_parameter("Bypass", 1.0);
            check(host, SHORT_CHUNK_FRAMES, &format!("{what}, bypass"));
        });
    });
}

/// The same where the dry signal is all there is.
#[test]
fn dry_outputs_are_numbers_too() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    let environment = || Environment {
        engine_folder: Some(empty.path().to_owned()),
        model: None,
    };
    in_own_process("dry_outputs_are_numbers_too", environment, LIMIT, || {
        for_both(|what, host| check(host, 1, &format!("{what}, no engine")));
    });
}

fn for_both(check: impl Fn(&str, &mut dyn PluginHost)) {
    let bundles = Bundles::new();
    for format in [Format::Clap, Format::Vst3] {
        table::case(CASE, format.host_name(), || {
            let mut host = format.load(&bundles.path(format));
            host.activate(Setup::export(512));
            check(&format!("{format:?}"), host.as_mut());
        });
    }
}

/// Panics if an output is no number, or if main is not the input again `chunk_frames` after the last
/// strange one.
fn check(host: &mut dyn PluginHost, chunk_frames: usize, what: &str) {
    host.reset();
    let latency = host.latency_frames();
    let input = strange(FRAMES, 41);
    let buses = host.process(&input, &[512]);
    for (index, bus) in buses.iter().enumerate() {
        for (frame, &sample) in bus
            .channels()
            .flat_map(|channel| channel.iter().enumerate())
        {
            assert!(
                sample.is_finite(),
                "{what}: bus {index} is {sample} at frame {frame}"
            );
        }
    }
    let from = FRAMES / 3 + latency + chunk_frames;
    let rest = FRAMES - from;
    let expected = delayed(&input, latency).slice(from, rest);
    assert_near(&buses[0].slice(from, rest), &expected, 1e-5, what);
}
