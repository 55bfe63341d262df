//! An engine that stalls or fails: what it cannot do is missing, and nothing slips.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::Bundles;
use bunri_tests::own_process::with_fake_engine;
use bunri_tests::signals::{FADE_SECONDS, assert_near, delayed, is_faded, noise, scaled};
use bunri_tests::{AuxBuses, Format, Pace, Setup, table};

const LIMIT: Duration = Duration::from_secs(60);
/// The fake engine's own rate.
const RATE_HZ: usize = 44_100;
const HOP: usize = 2048;
/// Louder than these, and the fake engine stalls or fails (`bunri_fake_engine` has the bounds).
const STALL_CUE: f32 = 3.0;
const FAIL_CUE: f32 = 5.0;

fn setup(pace: Pace) -> Setup {
    Setup {
        rate_hz: RATE_HZ as u32,
        max_block_frames: 256,
        pace,
        aux: AuxBuses::Active,
    }
}

/// Noise with a cue at one second.
fn with_cue(seconds: usize, cue: f32) -> Planar {
    let mut signal = noise(seconds * RATE_HZ, 31);
    signal.channel_mut(0)[RATE_HZ] = cue;
    signal
}

/// Guards against a stall after which the stems are late for ever, against dropouts that nobody
/// counts, and against stems that do not come back.
#[test]
fn after_a_stall_of_two_seconds_every_frame_is_in_its_place() {
    let name = "after_a_stall_of_two_seconds_every_frame_is_in_its_place";
    let words = format!("hop {HOP} stall_ms 2000");
    let said = with_fake_engine(name, &words, LIMIT, || {
        let bundles = Bundles::new();
        // Both at once, for they mostly wait.
        std::thread::scope(|scope| {
            for format in [Format::Clap, Format::Vst3] {
                let bundle = bundles.path(format);
                scope.spawn(move || {
                    table::case_with_figure("worker stalled for 2 s", format.host_name(), || {
                        stall(format, &bundle)
                    });
                });
            }
        });
    });
    if let Some(said) = said {
        let told = said.matches("dropouts").count();
        assert_eq!(told, 2, "dropouts that users are told of, in {said:?}");
    }
}

fn stall(format: Format, bundle: &std::path::Path) -> String {
    const SECONDS: usize = 6;
    let mut host = format.load(bundle);
    host.activate(setup(Pace::Live));
    let latency = host.latency_frames();
    let input = with_cue(SECONDS, STALL_CUE);
    let buses = host.process(&input, &[256]);
    let expected = delayed(&input, latency);
    let fade_frames = (FADE_SECONDS * RATE_HZ as f64) as usize;
    let mut silent = Vec::new();
    let mut heard_frames = 0;
    for frame in latency..input.frames() {
        let at = |signal: &Planar| [0, 1].map(|channel| signal.channel(channel)[frame]);
        let (got, expected) = (at(&buses[0]), at(&expected));
        if got == [0.0; 2] && expected != [0.0; 2] {
            silent.push(frame);
            heard_frames = 0;
            continue;
        }
        heard_frames += 1;
        let near =
            std::iter::zip(got, expected).all(|(got, expected)| (got - expected).abs() < 1e-5);
        assert!(
            near || heard_frames < fade_frames && is_faded(&got, &expected),
            "{format:?}: frame {frame} is {got:?}, not {expected:?}"
        );
    }
    let seconds = silent.len() as f64 / RATE_HZ as f64;
    assert!(
        seconds > 1.5,
        "{format:?}: only {seconds} s were silent: no stall"
    );
    let last = silent.last().copied().unwrap_or_default();
    let rest = (input.frames() - last) as f64 / RATE_HZ as f64;
    assert!(
        rest > 0.5,
        "{format:?}: still silent {rest} s before the end"
    );
    format!("{seconds:.1} s silent, then in place")
}

/// Guards against a stream that ends, slips or turns to noise because a GPU failed once.
#[test]
fn after_an_engine_error_the_stems_come_back() {
    let name = "after_an_engine_error_the_stems_come_back";
    with_fake_engine(name, &format!("hop {HOP} fail_chunks 2"), LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            table::case("engine error", format.host_name(), || {
                let mut host = format.load(&bundles.path(format));
                host.activate(setup(Pace::Offline));
                let latency = host.latency_frames();
                let input = with_cue(4, FAIL_CUE);
                let buses = host.process(&input, &[256]);
                let late = delayed(&input, latency);
                let (begin, end) = (RATE_HZ + latency - HOP, RATE_HZ + latency + 4 * HOP);
                for (bus, gain) in buses.iter().zip([1.0, 0.1, 0.2, 0.3, 0.4]) {
                    for (from, frames) in [(0, begin), (end, input.frames() - end)] {
                        let what = format!("{format:?}, from frame {from}, gain {gain}");
                        let expected = scaled(&late.slice(from, frames), gain);
                        assert_near(&bus.slice(from, frames), &expected, 1e-5, &what);
                    }
                }
            });
        }
    });
}

/// Guards against silence, and against a host that hangs, where the GPU is gone for good.
#[test]
fn an_engine_that_fails_for_good_leaves_the_input() {
    let name = "an_engine_that_fails_for_good_leaves_the_input";
    let words = format!("hop {HOP} fail_chunks 1000000");
    let said = with_fake_engine(name, &words, LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            table::case("engine error", format.host_name(), || {
                let mut host = format.load(&bundles.path(format));
                host.activate(setup(Pace::Offline));
                let latency = host.latency_frames();
                let input = with_cue(4, FAIL_CUE);
                let buses = host.process(&input, &[256]);
                let end = 2 * RATE_HZ + latency;
                let rest = input.frames() - end;
                let expected = delayed(&input, latency).slice(end, rest);
                assert_near(&buses[0].slice(end, rest), &expected, 0.0, "main");
                for bus in &buses[1..] {
                    let silence = Planar::zeros(2, rest);
                    assert_near(&bus.slice(end, rest), &silence, 0.0, "a stem bus");
                }
            });
        }
    });
    if let Some(said) = said {
        assert!(said.contains("CUDA error"), "no reason told in {said:?}");
    }
}
