//! Whatever a host does in whatever order, the plugin neither breaks nor slips.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::Bundles;
use bunri_tests::own_process::with_fake_engine;
use bunri_tests::signals::{assert_near, delayed, noise};
use bunri_tests::{AuxBuses, Format, Pace, PluginHost, Setup, table};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LIMIT: Duration = Duration::from_secs(120);
const EVENTS: usize = 1000;
/// Events after which the plugin must be as good as new.
const ROUND: usize = 100;

macro_rules! hosts {
    ($($name:ident: $format:ident;)*) => {$(
        /// Guards against every order of calls that nobody thought of: what is left of an earlier
        /// activation, resets and settings between activations, blocks of all lengths.
        #[test]
        fn $name() {
            with_fake_engine(stringify!($name), "hop 1024", LIMIT, || {
                let host = Format::$format.host_name();
                table::case("1,000 random events", host, || survive(Format::$format));
            });
        }
    )*};
}

hosts! {
    clap_survives_1000_random_events: Clap;
    vst3_survives_1000_random_events: Vst3;
}

fn survive(format: Format) {
    let bundles = Bundles::new();
    let mut host = format.load(&bundles.path(format));
    let defaults = host.parameters();
    let good_state = host.save_state();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut setup = None;
    for event in 0..EVENTS {
        happen(host.as_mut(), &mut setup, &good_state, &mut random, event);
        if event % ROUND == ROUND - 1 {
            setup = None;
            for parameter in &defaults {
                host.set_parameter(&parameter.name, parameter.fraction);
            }
            assert_good(host.as_mut(), &format!("{format:?} after {event} events"));
        }
    }
}

/// One thing that hosts do, at random.
fn happen(
    host: &mut dyn PluginHost,
    setup: &mut Option<Setup>,
    good_state: &[u8],
    random: &mut ChaCha8Rng,
    event: usize,
) {
    match (random.random_range(0..10), *setup) {
        (0, _) | (3.., None) => {
            let chosen = Setup {
                rate_hz: [22_050, 44_100, 48_000, 96_000, 192_000][random.random_range(0..5)],
                max_block_frames: 1 << random.random_range(0..14),
                pace: [Pace::Offline, Pace::Freewheel][random.random_range(0..2)],
                aux: [AuxBuses::Active, AuxBuses::Inactive][random.random_range(0..2)],
            };
            host.activate(chosen);
            *setup = Some(chosen);
        }
        (1, Some(_)) => {
            host.deactivate();
            *setup = None;
        }
        (2, _) => assert!(
            host.load_state(good_state),
            "event {event}: the state refused"
        ),
        (3 | 4, Some(_)) => host.reset(),
        (5 | 6, Some(_)) => {
            let parameters = host.parameters();
            let chosen = &parameters[random.random_range(0..parameters.len())];
            host.set_parameter(&chosen.name, random.random());
        }
        (_, Some(setup)) => {
            let longest = setup.max_block_frames;
            let blocks = [
                random.random_range(1..=longest),
                random.random_range(1..=longest),
            ];
            // Short blocks are slow to send.
            let most = (40 * longest).clamp(100, 6000);
            let input = noise(random.random_range(1..most), event as u64);
            for bus in host.process(&input, &blocks) {
                let finite = bus.channels().flatten().all(|sample| sample.is_finite());
                assert!(finite, "event {event}, {setup:?}: not a number");
            }
        }
        (_, None) => {}
    }
}

/// Panics unless the plugin passes a signal on as it should.
fn assert_good(host: &mut dyn PluginHost, what: &str) {
    let setup = Setup::export(512);
    host.activate(setup);
    // The settings arrive with a block, and whatever was on its way is forgotten.
    let _ = host.process(&Planar::zeros(2, 2048), &[512]);
    host.reset();
    let latency = host.latency_frames();
    let input = noise(latency + 5000, 2);
    let buses = host.process(&input, &[512, 100]);
    assert_near(&buses[0], &delayed(&input, latency), 1e-5, what);
}
