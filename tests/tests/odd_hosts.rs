//! Hosts that do not keep to the formats' descriptions: their users hear what others hear.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::{Bundles, vst3_library};
use bunri_tests::clap_host::ClapHost;
use bunri_tests::own_process::with_fake_engine;
use bunri_tests::signals::{assert_near, delayed, max_error, noise};
use bunri_tests::vst3_bare::{Starts, Ways, process_main_alone, values_after_component_state};
use bunri_tests::{Format, Pace, PluginHost, Setup, table};

const LIMIT: Duration = Duration::from_secs(60);
const WORDS: &str = "hop 2048";
const BLOCK: usize = 512;
const FRAMES: usize = 40_000;

/// Guards against blocks that are longer than announced, whose outputs stayed unwritten while VST3 hosts got
/// `kResultOk`.
#[test]
fn blocks_longer_than_announced_are_played() {
    let name = "blocks_longer_than_announced_are_played";
    with_fake_engine(name, WORDS, LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            table::case("longer blocks than announced", format.host_name(), || {
                let mut host = format.load(&bundles.path(format));
                host.activate(Setup::export(BLOCK));
                let latency = host.latency_frames();
                let input = noise(FRAMES, 61);
                let buses = host.process(&input, &[BLOCK + 1, 5000, 3 * BLOCK]);
                assert_near(&buses[0], &delayed(&input, latency), 1e-6, "main");
            });
        }
        let ways = |ways: Ways| Ways {
            block_frames: 5000,
            ..ways
        };
        bare("longer blocks than announced", ways);
    });
}

/// Guards VST3 hosts that never call `setProcessing`, which heard the stale samples in their buffers.
#[test]
fn a_block_is_a_start_of_processing() {
    let name = "a_block_is_a_start_of_processing";
    with_fake_engine(name, WORDS, LIMIT, || {
        bare("no setProcessing", |ways| Ways {
            starts: Starts::Never,
            ..ways
        });
    });
}

/// Guards hosts that stop and start around every block, which heard nothing at all.
#[test]
fn stops_around_every_block_are_not_heard() {
    let name = "stops_around_every_block_are_not_heard";
    with_fake_engine(name, WORDS, LIMIT, || {
        let case = "stops around every block";
        for sends_position in [true, false] {
            bare(case, |ways| Ways {
                starts: Starts::AroundEveryBlock,
                sends_position,
                ..ways
            });
        }
        table::case(case, Format::Clap.host_name(), || {
            let mut host = ClapHost::load(&Bundles::new().path(Format::Clap));
            host.activate(Setup::export(BLOCK));
            let latency = host.latency_frames();
            let input = noise(FRAMES, 62);
            let mut main = Planar::zeros(2, 0);
            for start in (0..FRAMES).step_by(BLOCK) {
                let block = input.slice(start, BLOCK.min(FRAMES - start));
                main.append(&host.process(&block, &[BLOCK])[0]);
                host.stop();
            }
            assert_near(&main, &delayed(&input, latency), 1e-6, "main");
        });
    });
}

/// Plays through a VST3 host with these ways: the main bus must be the delayed input.
fn bare(case: &str, change: impl Fn(Ways) -> Ways) {
    let bundles = Bundles::new();
    let library = vst3_library(&bundles.path(Format::Vst3));
    let setup = Setup::export(BLOCK);
    let ways = change(Ways::ordinary(&setup, Pace::Offline));
    table::case(case, "bare (VST3)", || {
        let input = noise(FRAMES, 63);
        let (main, latency) = process_main_alone(&library, &setup, ways, &input);
        let (error, _) = max_error(&main, &delayed(&input, latency));
        assert!(error < 1e-6, "{ways:?}: {error}");
    });
}

/// Guards Ableton Live, which gives the controller the component's state: it was refused.
#[test]
fn a_controller_follows_the_components_state() {
    let name = "a_controller_follows_the_components_state";
    with_fake_engine(name, WORDS, LIMIT, || {
        let bundles = Bundles::new();
        table::case("setComponentState", "bare (VST3)", || {
            // Both formats have the same state.
            let mut host = ClapHost::load(&bundles.path(Format::Clap));
            host.activate(Setup::export(BLOCK));
            let changes = [("Bass pan", 0.25), ("Dry/wet", 0.5), ("Vocals mute", 1.0)];
            for (parameter, fraction) in changes {
                host.set_parameter(parameter, fraction);
            }
            let _ = host.process(&noise(BLOCK, 64), &[BLOCK]);
            let expected: Vec<f64> = host.parameters().iter().map(|it| it.fraction).collect();
            let library = vst3_library(&bundles.path(Format::Vst3));
            let values = values_after_component_state(&library, &host.save_state());
            assert_eq!(values.len(), expected.len());
            for (value, expected) in values.iter().zip(&expected) {
                assert!((value - expected).abs() < 1e-6, "{values:?} {expected:?}");
            }
            let changed = expected.iter().filter(|&&value| value == 0.25).count();
            assert_eq!(changed, 1, "the state is another one");
        });
    });
}
