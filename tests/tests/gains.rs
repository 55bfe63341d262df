//! The parameters do what their names say.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::Bundles;
use bunri_tests::checkpoint::{ECHO_GAINS, SHORT_CHUNK_FRAMES};
use bunri_tests::own_process::with_echo_model;
use bunri_tests::signals::{assert_near, delayed, noise, scaled, sum};
use bunri_tests::{Format, PluginHost, STEMS, Setup};

const LIMIT: Duration = Duration::from_secs(60);
/// Enough for a gain to have reached its new value.
const SETTLE_FRAMES: usize = 10_000;

fn with_echo(name: &str, body: impl Fn(Format, &mut dyn PluginHost)) {
    with_echo_model(name, SHORT_CHUNK_FRAMES, LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            let mut host = format.load(&bundles.path(format));
            host.activate(Setup::export(480));
            body(format, host.as_mut());
        }
    });
}

/// The end of what the plugin plays once everything has settled, and the delayed input there.
fn settled(host: &mut dyn PluginHost) -> (Planar, Vec<Planar>) {
    let latency = host.latency_frames();
    host.reset();
    let input = noise(latency + SETTLE_FRAMES + 5000, 11);
    let buses = host.process(&input, &[480]);
    let end = |signal: &Planar| signal.slice(input.frames() - 5000, 5000);
    (
        end(&delayed(&input, latency)),
        buses.iter().map(end).collect(),
    )
}

/// Guards against a fader that moves another stem, or two.
#[test]
fn a_gain_changes_its_stem_and_main_alone() {
    with_echo("a_gain_changes_its_stem_and_main_alone", |format, host| {
        for (index, stem) in STEMS.into_iter().enumerate() {
            let name = parameter_of(host, stem);
            let before = fraction_of(host, &name);
            for fraction in [0.0, 0.5, 1.0] {
                host.set_parameter(&name, fraction);
                let (input, buses) = settled(host);
                let gain_db = shown_db(host, &name);
                // The lowest value is silence, as its text says or its sound shows.
                let gain = if fraction == 0.0 {
                    0.0
                } else {
                    10f32.powf(gain_db / 20.0)
                };
                let what = format!("{format:?}, {name} at {gain_db} dB");
                let expected: Vec<Planar> = (0..STEMS.len())
                    .map(|other| {
                        let own = if other == index { gain } else { 1.0 };
                        scaled(&input, own * ECHO_GAINS[other])
                    })
                    .collect();
                for ((bus, expected), stem) in buses[1..].iter().zip(&expected).zip(STEMS) {
                    assert_near(bus, expected, 1e-4, &format!("{what}: {stem}"));
                }
                assert_near(&buses[0], &sum(&expected), 2e-4, &format!("{what}: main"));
            }
            host.set_parameter(&name, before);
        }
        let (input, buses) = settled(host);
        assert_near(
            &buses[0],
            &input,
            1e-5,
            &format!("{format:?}: all gains back at 0 dB"),
        );
    });
}

/// Guards against a bypass that jumps in time or is not quite the input.
#[test]
fn bypass_is_the_input_at_the_same_latency() {
    with_echo("bypass_is_the_input_at_the_same_latency", |format, host| {
        let latency = host.latency_frames();
        let name = parameter_of(host, "drums");
        host.set_parameter(&name, 0.0);
        host.set_parameter("Bypass", 1.0);
        let (input, buses) = settled(host);
        assert_eq!(
            host.latency_frames(),
            latency,
            "{format:?}: latency in bypass"
        );
        assert_near(
            &buses[0],
            &input,
            0.0,
            &format!("{format:?}: main in bypass"),
        );
        for (bus, stem) in buses[1..].iter().zip(STEMS) {
            let silence = Planar::zeros(2, bus.frames());
            assert_near(bus, &silence, 0.0, &format!("{format:?}: {stem} in bypass"));
        }
    });
}

/// Name of the gain of a stem: the parameter that starts with the stem's name.
fn parameter_of(host: &mut dyn PluginHost, stem: &str) -> String {
    let parameters = host.parameters();
    parameters
        .iter()
        .find(|parameter| parameter.name.to_lowercase().starts_with(stem))
        .unwrap_or_else(|| panic!("no gain for {stem} in {parameters:?}"))
        .name
        .clone()
}

fn fraction_of(host: &mut dyn PluginHost, name: &str) -> f64 {
    let parameters = host.parameters();
    parameters
        .iter()
        .find(|parameter| parameter.name == name)
        .expect("the parameter")
        .fraction
}

/// The value in dB that the plugin shows for a parameter.
fn shown_db(host: &mut dyn PluginHost, name: &str) -> f32 {
    let parameters = host.parameters();
    let shown = parameters
        .iter()
        .find(|parameter| parameter.name == name)
        .expect("the parameter");
    let number = shown.text.split_whitespace().next().unwrap_or_default();
    number
        .parse()
        .unwrap_or_else(|_| panic!("{name} shows {:?}, no number", shown.text))
}
