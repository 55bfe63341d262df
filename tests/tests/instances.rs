//! Both formats and eight instances in one process.

use std::time::Duration;

use bunri_stream::Planar;
use bunri_stream::engine::Engine;
use bunri_tests::bundle::Bundles;
use bunri_tests::checkpoint::SHORT_CHUNK_FRAMES;
use bunri_tests::own_process::{with_echo_model, with_fake_engine};
use bunri_tests::signals::{assert_near, delayed, noise};
use bunri_tests::{AuxBuses, Format, Pace, Setup, table};

const LIMIT: Duration = Duration::from_secs(60);

/// Guards against a second engine, or a second copy of the weights, for the other format or for
/// another track, and against tracks that hear each other.
#[test]
fn eight_instances_of_two_formats_share_one_engine() {
    let name = "eight_instances_of_two_formats_share_one_engine";
    with_echo_model(name, SHORT_CHUNK_FRAMES, LIMIT, || {
        let bundles = Bundles::new();
        let check = || play_eight(&bundles);
        table::case("many instances", Format::Clap.host_name(), check);
        // The same eight, four of each: a second play would show nothing new.
        table::record("many instances", Format::Vst3.host_name(), "pass");
    });
}

fn play_eight(bundles: &Bundles) {
    const FRAMES: usize = 16_000;
    let formats = [Format::Clap, Format::Vst3].repeat(4);
    let mut hosts: Vec<_> = formats
        .iter()
        .map(|format| format.load(&bundles.path(*format)))
        .collect();
    // At once and at rates of their own, as no host does.
    let rates = [44_100, 48_000, 88_200, 96_000];
    for (index, host) in hosts.iter_mut().enumerate() {
        host.activate(Setup {
            rate_hz: rates[index / 2],
            max_block_frames: 64 << (index / 2),
            pace: Pace::Offline,
            aux: AuxBuses::Active,
        });
    }
    let engine = Engine::global().expect("the engine");
    assert_eq!(engine.weights_in_memory(), 1, "sets of weights");
    let inputs: Vec<_> = (0..8).map(|seed| noise(FRAMES, seed)).collect();
    let mut mains = vec![Planar::zeros(2, 0); 8];
    for start in (0..FRAMES).step_by(2000) {
        for ((host, input), main) in hosts.iter_mut().zip(&inputs).zip(&mut mains) {
            main.append(&host.process(&input.slice(start, 2000), &[64])[0]);
        }
    }
    for (index, host) in hosts.iter_mut().enumerate() {
        let expected = delayed(&inputs[index], host.latency_frames());
        let what = format!("instance {index}, {:?}", formats[index]);
        assert_near(&mains[index], &expected, 1e-5, &what);
    }
}

/// Guards against an export that loses hops because it waits for other instances: what one of them
/// waits makes the host look slow to the next, which then takes it for one that plays.
#[test]
fn a_freewheeling_host_loses_nothing_to_other_instances() {
    let name = "a_freewheeling_host_loses_nothing_to_other_instances";
    with_fake_engine(name, "hop 16384 compute_ms 300", LIMIT, || {
        const BLOCK: usize = 1024;
        const FRAMES: usize = 80 * BLOCK;
        let bundles = Bundles::new();
        table::case("many instances", Format::Clap.host_name(), || {
            let mut hosts: Vec<_> = (0..4)
                .map(|_| Format::Clap.load(&bundles.path(Format::Clap)))
                .collect();
            for host in &mut hosts {
                host.activate(Setup {
                    rate_hz: 44_100,
                    max_block_frames: BLOCK,
                    pace: Pace::Freewheel,
                    aux: AuxBuses::Active,
                });
            }
            let input = noise(FRAMES, 9);
            let mut mains = vec![Planar::zeros(2, 0); hosts.len()];
            for start in (0..FRAMES).step_by(BLOCK) {
                for (host, main) in hosts.iter_mut().zip(&mut mains) {
                    main.append(&host.process(&input.slice(start, BLOCK), &[BLOCK])[0]);
                }
            }
            for (index, (host, main)) in hosts.iter_mut().zip(&mains).enumerate() {
                let expected = delayed(&input, host.latency_frames());
                assert_near(main, &expected, 1e-5, &format!("instance {index}"));
            }
        });
    });
}
