//! Latency is told exactly: what goes in comes out that many frames later, on every bus.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::{Bundles, vst3_library};
use bunri_tests::checkpoint::{ECHO_GAINS, SHORT_CHUNK_FRAMES};
use bunri_tests::own_process::{with_echo_model, with_fake_engine};
use bunri_tests::signals::{assert_near, delayed, impulse, noise, peak, scaled, sum};
use bunri_tests::vst3_bare::{Ways, process_main_alone};
use bunri_tests::{AuxBuses, Format, Pace, PluginHost, STEMS, Setup, table};

const LIMIT: Duration = Duration::from_secs(120);
const MODEL_RATE_HZ: u32 = 44_100;

macro_rules! impulses {
    ($($name:ident: $format:ident, $rate_hz:literal, $pace:ident;)*) => {$(
        /// Guards against a latency that is off by one or by a block, at this rate, in this host:
        /// tracks beside the plugin would no longer be in time with it.
        #[test]
        fn $name() {
            arrive_at_the_reported_latency(
                stringify!($name), Format::$format, $rate_hz, Pace::$pace,
            );
        }
    )*};
}

impulses! {
    clap_44100_offline: Clap, 44_100, Offline;
    clap_48000_offline: Clap, 48_000, Offline;
    clap_96000_offline: Clap, 96_000, Offline;
    clap_44100_freewheel: Clap, 44_100, Freewheel;
    clap_48000_freewheel: Clap, 48_000, Freewheel;
    clap_96000_freewheel: Clap, 96_000, Freewheel;
    vst3_44100_offline: Vst3, 44_100, Offline;
    vst3_48000_offline: Vst3, 48_000, Offline;
    vst3_96000_offline: Vst3, 96_000, Offline;
    vst3_44100_freewheel: Vst3, 44_100, Freewheel;
    vst3_48000_freewheel: Vst3, 48_000, Freewheel;
    vst3_96000_freewheel: Vst3, 96_000, Freewheel;
}

/// Block sizes that a run goes through, each list of them in turn.
const BLOCKS: [&[usize]; 5] = [&[1], &[64], &[1000], &[4096], &[1, 64, 1000, 4096, 63]];

fn arrive_at_the_reported_latency(name: &str, format: Format, rate_hz: u32, pace: Pace) {
    // Chunk, lists of block sizes, attempts. A host that freewheels while it claims realtime is told
    // from one that plays by how far it is ahead of the clock when the first hop is due: the hop
    // must be long, and a machine too busy to be ahead at all loses hops by contract. Single frames
    // are never far ahead.
    let (chunk_frames, blocks, attempts) = match pace {
        Pace::Freewheel => (65_536, &BLOCKS[1..], 3),
        Pace::Offline | Pace::Live => (SHORT_CHUNK_FRAMES, &BLOCKS[..], 1),
    };
    with_echo_model(name, chunk_frames, LIMIT, || {
        let bundles = Bundles::new();
        let mut host = format.load(&bundles.path(format));
        for (aux, case) in [
            (AuxBuses::Active, "aux buses on"),
            (AuxBuses::Inactive, "aux buses off"),
        ] {
            // Long chunks cost time: with inactive buses one list of all sizes must do.
            let skipped = match (pace, aux) {
                (Pace::Freewheel, AuxBuses::Inactive) => blocks.len() - 1,
                _ => 0,
            };
            table::case(case, format.host_name(), || {
                for blocks in &blocks[skipped..] {
                    let setup = Setup {
                        rate_hz,
                        max_block_frames: blocks.iter().copied().max().unwrap_or(1),
                        pace,
                        aux,
                    };
                    check_repeatedly(host.as_mut(), &setup, blocks, attempts);
                }
            });
        }
        table::record("latency to the sample", format.host_name(), "pass");
    });
}

/// Panics if `check` does so in each of so many attempts.
fn check_repeatedly(host: &mut dyn PluginHost, setup: &Setup, blocks: &[usize], attempts: usize) {
    for _ in 1..attempts {
        host.activate(*setup);
        let attempt = AssertUnwindSafe(|| check(&mut *host, setup, blocks));
        if std::panic::catch_unwind(attempt).is_ok() {
            return;
        }
    }
    host.activate(*setup);
    check(host, setup, blocks);
}

/// Sends two impulses through `host` and looks for them on all connected buses.
fn check(host: &mut dyn PluginHost, setup: &Setup, blocks: &[usize]) {
    let latency = host.latency_frames();
    let what = format!("{setup:?}, blocks {blocks:?}, latency {latency}");
    assert!(
        latency > 0,
        "{what}: a separator that reports no latency at all"
    );

    // The second one only comes while the first one is already leaving.
    let positions = [100, 100 + latency + 777];
    let frames = positions[1] + latency + 3000;
    let mut input = impulse(frames, positions[0], [1.0, -0.5]);
    input.add(&impulse(frames, positions[1], [-0.25, 1.0]));
    let expected = delayed(&input, latency);

    let buses = host.process(&input, blocks);
    assert_near(&buses[0], &expected, 1e-5, &format!("{what}: main"));
    if setup.aux == AuxBuses::Inactive {
        assert_eq!(buses.len(), 1, "{what}: buses");
        return;
    }
    let stems = &buses[1..];
    assert_eq!(stems.len(), STEMS.len(), "{what}: buses");
    assert_near(
        &sum(stems),
        &expected,
        1e-5,
        &format!("{what}: sum of the stems"),
    );

    // What the model itself carried: its stems are its input times the gains, and consistency
    // gives each stem a quarter of what the conversion of the rate took away.
    let mut carried = stems[3].clone();
    carried.add(&scaled(&stems[0], -1.0));
    let carried = scaled(&carried, 1.0 / (ECHO_GAINS[3] - ECHO_GAINS[0]));
    for ((stem, name), gain) in stems.iter().zip(STEMS).zip(ECHO_GAINS) {
        let model = scaled(&carried, gain - 0.25);
        let expected = sum(&[model, scaled(&expected, 0.25)]);
        assert_near(stem, &expected, 1e-5, &format!("{what}: {name}"));
    }
    if setup.rate_hz == MODEL_RATE_HZ {
        assert_near(
            &carried,
            &expected,
            1e-4,
            &format!("{what}: carried by the model"),
        );
    }
    // Above half the lower rate there is nothing left to carry.
    let height = 1f32.min(MODEL_RATE_HZ as f32 / setup.rate_hz as f32);
    for at in positions {
        assert_centred(&carried, at + latency, height, &what);
    }
}

/// Panics unless the largest sample within 700 frames is at `centre`, about `height` high, and the
/// signal is symmetric around it: a delay that is off by a fraction of a frame leans to one side.
fn assert_centred(carried: &Planar, centre: usize, height: f32, what: &str) {
    let near = carried.slice(centre - 700, 1401);
    let (got_height, at) = peak(&near);
    assert!(
        (0.85 * height..1.01 * height).contains(&got_height),
        "{what}: the model carried {got_height} of an impulse, expected about {height}"
    );
    assert_eq!(at, 700, "{what}: carried by the model");
    let mut mirrored = near.clone();
    mirrored.channels_mut().for_each(<[f32]>::reverse);
    let what = format!("{what}: symmetry of what the model carried");
    assert_near(&near, &mirrored, 1e-3, &what);
}

/// Guards against buffers that are too short, and latencies that are rounded elsewhere, at the ends
/// of what hosts choose.
#[test]
fn latency_holds_at_every_rate_and_block_size() {
    let name = "latency_holds_at_every_rate_and_block_size";
    with_fake_engine(name, "hop 1024", LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            let mut host = format.load(&bundles.path(format));
            let mut holds = |rate_hz, max_block_frames| {
                host.activate(Setup {
                    rate_hz,
                    max_block_frames,
                    pace: Pace::Offline,
                    aux: AuxBuses::Active,
                });
                let latency = host.latency_frames();
                let input = noise(latency + 4000, 61);
                let buses = host.process(&input, &[max_block_frames]);
                let what = format!("{format:?}, {rate_hz} Hz, blocks of {max_block_frames}");
                assert_near(&buses[0], &delayed(&input, latency), 1e-5, &what);
            };
            table::case("rates 22.05 to 192 kHz", format.host_name(), || {
                for rate_hz in [
                    22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000,
                ] {
                    holds(rate_hz, 512);
                }
            });
            table::case("block sizes 1 to 8192", format.host_name(), || {
                for block in [1, 2, 63, 64, 65, 511, 1000, 1024, 4096, 8191, 8192] {
                    holds(48_000, block);
                }
            });
        }
    });
}

/// Guards against a plugin that does not run at all in JUCE's hosts, whose inactive buses have no
/// channels: the input would pass as it is, early by the latency that the host compensates.
#[test]
fn vst3_buses_without_channels() {
    with_echo_model(
        "vst3_buses_without_channels",
        SHORT_CHUNK_FRAMES,
        LIMIT,
        || {
            let bundles = Bundles::new();
            let library = vst3_library(&bundles.path(Format::Vst3));
            let setup = Setup {
                rate_hz: MODEL_RATE_HZ,
                max_block_frames: 512,
                pace: Pace::Offline,
                aux: AuxBuses::Inactive,
            };
            let input = noise(20_000, 5);
            let ways = Ways::ordinary(&setup, setup.pace);
            let (main, latency) = process_main_alone(&library, &setup, ways, &input);
            assert_near(&main, &delayed(&input, latency), 1e-5, "main");
        },
    );
}
