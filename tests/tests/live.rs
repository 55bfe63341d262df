//! Playing live on a machine that may be too slow: what comes is in its place, or does not come. And
//! rendering beside it, where all must come.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::{Bundles, vst3_library};
use bunri_tests::checkpoint::ECHO_GAINS;
use bunri_tests::clap_host::ClapHost;
use bunri_tests::own_process::{with_echo_model, with_fake_engine};
use bunri_tests::signals::{FADE_SECONDS, assert_near, delayed, is_faded, noise, scaled};
use bunri_tests::vst3_bare::{Ways, process_main_alone};
use bunri_tests::{AuxBuses, Format, Pace, PluginHost, Setup};

const LIMIT: Duration = Duration::from_secs(120);
/// The model's own rate: its stems are exactly the delayed input times its gains.
const RATE_HZ: u32 = 44_100;
/// The hop is a quarter of it, 93 ms.
const CHUNK_FRAMES: usize = 16_384;
const ATTEMPTS: usize = 6;
/// How long the host plays each time.
const PLAYED_FRAMES: usize = 3 * RATE_HZ as usize;

/// Guards against stems that slip: a hop that comes late and is played late puts everything after
/// it out of time, for ever, with the dry signal, with the other tracks and with the other stems.
/// How many hops are late is the machine's affair, so that is only printed.
#[test]
fn every_frame_is_in_its_place_or_silent_on_all_buses() {
    let name = "every_frame_is_in_its_place_or_silent_on_all_buses";
    with_echo_model(name, CHUNK_FRAMES, LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            let mut host = format.load(&bundles.path(format));
            for (max_block_frames, aux) in [
                (64, AuxBuses::Active),
                (1000, AuxBuses::Active),
                (512, AuxBuses::Inactive),
            ] {
                let setup = Setup {
                    rate_hz: RATE_HZ,
                    max_block_frames,
                    pace: Pace::Live,
                    aux,
                };
                let what = format!("{format:?}, {setup:?}");
                // A machine may be starved for seconds; a plugin that never plays is broken.
                let played = (0..ATTEMPTS).any(|_| {
                    let share = share_played(host.as_mut(), setup, &what);
                    println!("{what}: {share:.3} played");
                    share > 0.2
                });
                assert!(
                    played,
                    "{what}: nearly nothing played in {ATTEMPTS} attempts"
                );
            }
        }
    });
}

/// Plays noise and returns the share of frames that were not silent. Panics if any frame is
/// neither what it should be on all buses nor silent on all buses.
fn share_played(host: &mut dyn PluginHost, setup: Setup, what: &str) -> f64 {
    host.activate(setup);
    let latency = host.latency_frames();
    let input = noise(latency + PLAYED_FRAMES, 21);
    let buses = host.process(&input, &[setup.max_block_frames]);
    let late = delayed(&input, latency);
    let expected: Vec<Planar> = [1.0]
        .into_iter()
        .chain(ECHO_GAINS)
        .map(|gain| scaled(&late, gain))
        .collect();
    let mut played = 0;
    // Since the last silent frame: the first ones after it fade in.
    let fade_frames = (FADE_SECONDS * f64::from(RATE_HZ)) as usize;
    let mut heard_frames = 0;
    for frame in latency..input.frames() {
        let samples = |signals: &[Planar]| -> Vec<f32> {
            let signals = signals.iter().take(buses.len());
            signals
                .flat_map(|bus| bus.channels().map(move |channel| channel[frame]))
                .collect()
        };
        let (got, expected) = (samples(&buses), samples(&expected));
        if got.iter().all(|&sample| sample == 0.0) {
            heard_frames = 0;
            continue;
        }
        heard_frames += 1;
        let near =
            std::iter::zip(&got, &expected).all(|(got, expected)| (got - expected).abs() < 1e-5);
        assert!(
            near || heard_frames < fade_frames && is_faded(&got, &expected),
            "{what}: frame {frame} is {got:?}, expected {expected:?} or silence"
        );
        played += 1;
    }
    f64::from(played) / PLAYED_FRAMES as f64
}

/// Guards the export of a host that says that it renders only once it does, not at activation, and that
/// is no faster than the music, on a busy machine: its pace alone tells nothing, and a plugin that
/// took it for playing would lose every hop that the model is late with.
#[test]
fn a_host_that_says_offline_after_activation_is_waited_for() {
    let name = "a_host_that_says_offline_after_activation_is_waited_for";
    // Half as fast as the music: a hop takes 23 ms.
    with_fake_engine(name, "hop 1024 compute_ms 50", LIMIT, || {
        let setup = Setup {
            rate_hz: RATE_HZ,
            max_block_frames: 512,
            pace: Pace::Live,
            aux: AuxBuses::Active,
        };
        let input = noise(RATE_HZ as usize, 22);
        let bundles = Bundles::new();

        let library = vst3_library(&bundles.path(Format::Vst3));
        let ways = Ways::ordinary(&setup, Pace::Offline);
        let (main, latency) = process_main_alone(&library, &setup, ways, &input);
        assert_near(&main, &delayed(&input, latency), 1e-5, "VST3");

        let mut host = ClapHost::load(&bundles.path(Format::Clap));
        host.activate(setup);
        host.say_offline();
        let latency = host.latency_frames();
        let buses = host.process(&input, &[512]);
        assert_near(&buses[0], &delayed(&input, latency), 1e-5, "CLAP");
    });
}
