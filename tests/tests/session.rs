//! What happens to a plugin in a session: saved, restored, started again, interrupted.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_tests::bundle::Bundles;
use bunri_tests::checkpoint::{ECHO_GAINS, SHORT_CHUNK_FRAMES};
use bunri_tests::own_process::with_echo_model;
use bunri_tests::signals::{assert_near, delayed, noise, scaled};
use bunri_tests::{Format, Pace, PluginHost, STEMS, Setup, table};

const LIMIT: Duration = Duration::from_secs(60);

/// At the model's own rate the echo model's stems are the delayed input times its gains.
const SETUP: Setup = Setup::export(512);

/// Runs `body` for an instance in each host, with an echo model, as a case of the table.
fn in_both_hosts(name: &str, case: &str, body: impl Fn(Format, &Bundles)) {
    with_echo_model(name, SHORT_CHUNK_FRAMES, LIMIT, || {
        let bundles = Bundles::new();
        for format in [Format::Clap, Format::Vst3] {
            table::case(case, format.host_name(), || body(format, &bundles));
        }
    });
}

/// Panics unless the host's plugin, fed `input` from now on, gives the echo model's stems.
fn assert_echoes(host: &mut dyn PluginHost, input: &Planar, blocks: &[usize], what: &str) {
    let latency = host.latency_frames();
    let buses = host.process(input, blocks);
    assert_is_echo(&buses, &delayed(input, latency), what);
}

/// Panics unless the buses are `expected` on main and the echo model's stems of it.
fn assert_is_echo(buses: &[Planar], expected: &Planar, what: &str) {
    assert_near(&buses[0], expected, 1e-5, &format!("{what}: main"));
    for ((bus, stem), gain) in buses[1..].iter().zip(STEMS).zip(ECHO_GAINS) {
        assert_near(
            bus,
            &scaled(expected, gain),
            1e-5,
            &format!("{what}: {stem}"),
        );
    }
}

/// Every parameter as its user sees it: hosts round what they keep themselves.
fn shown(host: &mut dyn PluginHost) -> Vec<(String, String)> {
    let parameters = host.parameters().into_iter();
    parameters
        .map(|parameter| (parameter.name, parameter.text))
        .collect()
}

/// Guards against settings that are gone when the session is opened again.
#[test]
fn state_survives_a_round_trip_through_a_new_instance() {
    let name = "state_survives_a_round_trip_through_a_new_instance";
    in_both_hosts(name, "state round trip", |format, bundles| {
        let mut host = format.load(&bundles.path(format));
        host.activate(SETUP);
        // Every switch the other way, everything else somewhere of its own.
        for (index, parameter) in host.parameters().into_iter().enumerate() {
            let moved = match parameter.text.as_str() {
                "On" | "Off" => 1.0 - parameter.fraction,
                _ => (0.15 + 0.07 * index as f64) % 1.0,
            };
            host.set_parameter(&parameter.name, moved);
        }
        let _ = host.process(&Planar::zeros(2, 512), &[512]);
        let before = shown(host.as_mut());
        let state = host.save_state();
        drop(host);

        let mut host = format.load(&bundles.path(format));
        assert_ne!(
            shown(host.as_mut()),
            before,
            "{format:?}: the test changed nothing"
        );
        assert!(host.load_state(&state), "{format:?}: the state refused");
        assert_eq!(
            shown(host.as_mut()),
            before,
            "{format:?}: restored while inactive"
        );
        host.activate(SETUP);
        let _ = host.process(&Planar::zeros(2, 512), &[512]);
        assert_eq!(shown(host.as_mut()), before, "{format:?}: after activation");
    });
}

/// Guards against buffers and filters that keep the size of the first activation.
#[test]
fn each_activation_starts_afresh_at_its_rate_and_block_size() {
    in_both_hosts(
        "each_activation_starts_afresh_at_its_rate_and_block_size",
        "reactivation",
        |format, bundles| {
            let mut host = format.load(&bundles.path(format));
            let mut latencies = Vec::new();
            for (round, (rate_hz, max_block_frames)) in [
                (44_100, 64),
                (96_000, 4096),
                (44_100, 4096),
                (48_000, 1),
                (44_100, 64),
            ]
            .into_iter()
            .enumerate()
            {
                host.activate(Setup {
                    rate_hz,
                    max_block_frames,
                    ..SETUP
                });
                let input = noise(15_000, round as u64);
                let what = format!("{format:?}, activation {round}, {rate_hz} Hz");
                if rate_hz == SETUP.rate_hz {
                    assert_echoes(host.as_mut(), &input, &[max_block_frames], &what);
                } else {
                    let latency = host.latency_frames();
                    let buses = host.process(&input, &[max_block_frames]);
                    assert_near(&buses[0], &delayed(&input, latency), 1e-5, &what);
                }
                latencies.push(host.latency_frames());
            }
            assert_eq!(latencies[0], latencies[4], "{format:?}: {latencies:?}");
            assert!(
                latencies[1] > latencies[0],
                "{format:?}: the latency is one in host frames"
            );
        },
    );
}

/// Guards against the tail of the last take at the start of the next one.
#[test]
fn a_reset_in_mid_stream_leaks_nothing_old() {
    in_both_hosts(
        "a_reset_in_mid_stream_leaks_nothing_old",
        "reset in mid-stream",
        |format, bundles| {
            let mut host = format.load(&bundles.path(format));
            for pace in [Pace::Offline, Pace::Freewheel, Pace::Live] {
                host.activate(Setup { pace, ..SETUP });
                let latency = host.latency_frames();
                // Ends within a hop, before the first output, just after it, and far into the stream.
                for frames in [100, latency - 1, latency + 1, 3 * latency + 77] {
                    let _ = host.process(&noise(frames, 3), &[512]);
                    host.reset();
                    let what = format!("{format:?}, {pace:?}, reset after {frames}");
                    let silence = Planar::zeros(2, 2 * latency);
                    for bus in host.process(&silence, &[512]) {
                        assert_near(&bus, &silence, 0.0, &what);
                    }
                    if pace == Pace::Offline {
                        // Anything else may lose a hop on a busy machine.
                        host.reset();
                        assert_echoes(host.as_mut(), &noise(2 * latency, 4), &[512], &what);
                    }
                    host.reset();
                }
            }
        },
    );
}

/// Guards against instances that share more than the engine: one's audio in the other's stems.
#[test]
fn two_instances_do_not_hear_each_other() {
    let name = "two_instances_do_not_hear_each_other";
    in_both_hosts(name, "many instances", |format, bundles| {
        let mut hosts = [(); 2].map(|()| format.load(&bundles.path(format)));
        for host in &mut hosts {
            host.activate(SETUP);
        }
        let inputs = [5, 6].map(|seed| noise(20_000, seed));
        let mut outputs = [(); 2].map(|()| vec![Planar::zeros(2, 0); 1 + STEMS.len()]);
        for start in (0..20_000).step_by(2500) {
            for ((host, input), output) in hosts.iter_mut().zip(&inputs).zip(&mut outputs) {
                let buses = host.process(&input.slice(start, 2500), &[300]);
                std::iter::zip(output, &buses).for_each(|(output, bus)| output.append(bus));
            }
        }
        for ((host, input), output) in hosts.iter_mut().zip(&inputs).zip(&outputs) {
            let latency = host.latency_frames();
            assert_is_echo(output, &delayed(input, latency), &format!("{format:?}"));
        }
    });
}
