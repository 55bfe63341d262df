//! Parameters move while the music plays: at their frame, and without a click.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::Bundles;
use bunri_tests::own_process::with_fake_engine;
use bunri_tests::signals::{assert_near, delayed, noise};
use bunri_tests::{AuxBuses, Format, Pace, PluginHost, Setup, table};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LIMIT: Duration = Duration::from_secs(60);
const BLOCKS: [usize; 7] = [1, 63, 64, 512, 1000, 4096, 8192];

fn setup(max_block_frames: usize) -> Setup {
    Setup {
        rate_hz: 44_100,
        max_block_frames,
        pace: Pace::Offline,
        aux: AuxBuses::Active,
    }
}

fn in_both_hosts(name: &str, check: impl Fn(Format, &mut dyn PluginHost)) {
    with_fake_engine(name, "hop 1024", LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            table::case("automation", format.host_name(), || {
                check(format, format.load(&bundles.path(format)).as_mut());
            });
        }
    });
}

/// Guards against clicks and against values that are lost between blocks: every parameter jumps to
/// and fro under a constant signal, at every block size, and comes back.
#[test]
fn every_parameter_moves_at_every_block_size() {
    let name = "every_parameter_moves_at_every_block_size";
    in_both_hosts(name, |format, host| {
        let defaults = host.parameters();
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for block in BLOCKS {
            host.activate(setup(block));
            let latency = host.latency_frames();
            let constant = Planar::from_channels(vec![vec![0.25; latency + 3000]; 2]);
            let constant = constant.expect("one length");
            let _ = host.process(&constant, &[block]);
            for parameter in &defaults {
                for target in [random.random(), 0.0, 1.0, parameter.fraction] {
                    let frame = random.random_range(0..block);
                    host.set_parameter_at(&parameter.name, target, frame);
                    let what = format!("{format:?}, {}, blocks of {block}", parameter.name);
                    let buses = host.process(&constant.slice(0, 1200.max(block)), &[block]);
                    for bus in &buses {
                        assert_smooth(bus, &what);
                    }
                }
            }
            // The last ramps end; then all is as it was.
            let _ = host.process(&constant, &[block]);
            host.reset();
            let input = noise(latency + 3000, 4);
            let buses = host.process(&input, &[block]);
            let what = format!("{format:?}, all back, blocks of {block}");
            assert_near(&buses[0], &delayed(&input, latency), 1e-5, &what);
        }
    });
}

/// Panics if a frame differs from the one before by more than any ramp of the plugin's: the whole
/// way of the widest one, 0 to +12 dB of a quarter, in a thousandth of a second.
fn assert_smooth(bus: &Planar, what: &str) {
    const STEEPEST: f32 = 0.25 * 4.0 / 44.1;
    for channel in bus.channels() {
        for (frame, pair) in channel.windows(2).enumerate() {
            let step = (pair[1] - pair[0]).abs();
            assert!(
                step <= STEEPEST,
                "{what}: a click of {step} at frame {frame}"
            );
        }
    }
}

/// Guards against automation that is only as exact as the host's blocks are short.
#[test]
fn a_change_begins_at_its_frame() {
    in_both_hosts("a_change_begins_at_its_frame", |format, host| {
        const BLOCK: usize = 4096;
        const FRAME: usize = 1500;
        host.activate(setup(BLOCK));
        let latency = host.latency_frames();
        let constant = Planar::from_channels(vec![vec![0.25; latency + 2 * BLOCK]; 2]);
        let _ = host.process(&constant.expect("one length"), &[BLOCK]);
        host.set_parameter_at("Drums gain", 0.0, FRAME);
        let block = Planar::from_channels(vec![vec![0.25; BLOCK]; 2]).expect("one length");
        let buses = host.process(&block, &[BLOCK]);
        let main = buses[0].channel(0);
        let first = main
            .iter()
            .position(|sample| (sample - main[0]).abs() > 1e-6);
        let first = first.unwrap_or_else(|| panic!("{format:?}: nothing changed"));
        // The first frame of a ramp may still be the old value.
        assert!(
            (FRAME..FRAME + 3).contains(&first),
            "{format:?}: changed at frame {first}, not {FRAME}"
        );
    });
}

/// Guards against a host's curve of which only one point a block is heard: clap-wrapper takes the last
/// of each parameter's points, from its frame on.
#[test]
fn every_point_of_a_block_is_heard_at_its_frame() {
    in_both_hosts(
        "every_point_of_a_block_is_heard_at_its_frame",
        |format, host| {
            const BLOCK: usize = 4096;
            host.activate(setup(BLOCK));
            let latency = host.latency_frames();
            let unity = host.parameters().into_iter();
            let unity = unity.filter(|parameter| parameter.name == "Drums gain");
            let unity = unity.map(|parameter| parameter.fraction).next();
            let unity = unity.expect("the parameter");
            let constant = |frames| Planar::from_channels(vec![vec![0.25; frames]; 2]);
            let _ = host.process(
                &constant(latency + 2 * BLOCK).expect("one length"),
                &[BLOCK],
            );
            // Down, up and down again; each way takes longer than a hundred frames.
            let points = [(500, 0.0), (600, unity), (2900, 0.0)];
            for (frame, fraction) in points {
                host.set_parameter_at("Drums gain", fraction, frame);
            }
            // Another parameter's points lie between them.
            host.set_parameter_at("Bass mute", 0.0, 550);
            let buses = host.process(&constant(BLOCK).expect("one length"), &[BLOCK]);
            let main = buses[0].channel(0);
            for ((frame, _), way) in points.into_iter().zip([-1.0, 1.0, -1.0]) {
                // The first frame of a ramp may still be the old value.
                let before = way * (main[frame - 1] - main[frame - 11]);
                let after = way * (main[frame + 12] - main[frame + 2]);
                assert!(
                    before <= 0.0 && after > 0.0,
                    "{format:?}, the point at frame {frame}: {before} in the 10 frames before it, {after} \
                 in those behind it"
                );
            }
        },
    );
}
