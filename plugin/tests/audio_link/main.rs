//! The audio thread's half with a real worker thread and models whose stems are known.
//!
//! Every block is played with allocations forbidden.

mod fakes;
mod mixing;
mod models;
mod robustness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bunri_plugin::exchange::{Counts, HostSetup, STEMS};
use bunri_plugin::link::{Controls, Strip};
use bunri_plugin::monitor::{Monitor, Phase};
use bunri_plugin::separation::{Fitting, LATENCY_WITHOUT_MODEL_FRAMES, Separation};
use crossbeam_channel::bounded;
use fakes::{
    FakeModel, Live, NEUTRAL, PARTS, Played, assert_same, delayed, noise, play, play_block, start,
};

const OFFLINE: HostSetup = HostSetup {
    rate_hz: 48_000,
    max_block_frames: 4096,
    offline: true,
};

fn scaled(samples: &[f32], factor: f32) -> Vec<f32> {
    samples.iter().map(|sample| factor * sample).collect()
}

/// Guards against stems that slip, or a main bus that does not null against the input, at any
/// block size.
#[test]
fn all_buses_come_exactly_one_latency_later_in_any_blocks() {
    let input = noise(20_000);
    for hop_frames in [256, 2048] {
        for block_frames in [1, 63, 64, 1000, 4096, 9000] {
            let (separation, mut link) = start(OFFLINE, FakeModel::new(hop_frames));
            let mut played = Played::default();
            play(&mut link, &input, block_frames, &mut played);
            let expected = delayed(&input, separation.latency_frames());
            let what = format!("hop {hop_frames}, blocks of {block_frames}");
            assert_same(&played.main, &expected, 1e-6, &what);
            for (stem, part) in played.stems.iter().zip(PARTS) {
                assert_same(stem, &scaled(&expected, part), 1e-6, &what);
            }
            assert_eq!(separation.counts(), Counts::default(), "{what}");
        }
    }
}

/// Guards against a latency that only holds where nothing is resampled: the stems add up to the
/// input delayed by exactly the reported number of frames.
#[test]
fn the_latency_holds_at_other_rates() {
    let input = noise(30_000);
    for rate_hz in [8_000, 44_100, 88_200, 96_000, 192_000] {
        let host = HostSetup { rate_hz, ..OFFLINE };
        let (separation, mut link) = start(host, FakeModel::new(512));
        let mut played = Played::default();
        play(&mut link, &input, 1000, &mut played);
        let expected = delayed(&input, separation.latency_frames());
        assert_same(&played.main, &expected, 1e-6, &format!("{rate_hz} Hz"));
    }
}

/// Guards against stems that slip for ever after the worker was late once, against dropouts that
/// nobody counts, and against a worker that never catches up with what it missed.
#[test]
fn after_a_late_hop_the_stems_are_back_in_place() {
    // Blocks of 10 ms from a host that may send 100 ms: so long does the worker have for a hop.
    let host = HostSetup {
        max_block_frames: 4800,
        offline: false,
        ..OFFLINE
    };
    // The gate closes after 0.25 s: late by some hops, which are skipped, or by so many that it is
    // told to begin anew.
    for (stalled_until, restarts) in [(24_000, 0), (48_000, 1)] {
        let (release, gate) = bounded(0);
        let model = FakeModel {
            gate: Some((12, gate)),
            ..FakeModel::new(1024)
        };
        let (separation, mut link) = start(host, model);
        let input = noise(stalled_until + 24_000);
        let (stalled, after) = input.split_at(stalled_until);
        let mut played = Played::default();
        let mut live = Live {
            rate_hz: host.rate_hz,
            started: Instant::now(),
            frames: 0,
        };
        live.play(&mut link, stalled, 480, &mut played);
        let counts = separation.counts();
        drop(release); // before any assertion: a worker at its gate cannot be ended
        assert!(counts.dropouts >= 1, "{counts:?}");
        assert!(counts.restarts >= restarts, "{counts:?}");
        live.play(&mut link, after, 480, &mut played);

        let latency = separation.latency_frames();
        let expected = delayed(&input, latency);
        let fades_in = latency..latency + 480;
        let mut late_frames = 0;
        for (frame, (&got, &expected)) in played.main.iter().zip(&expected).enumerate() {
            if fades_in.contains(&frame) {
                assert!(got.abs() <= expected.abs(), "frame {frame} is {got}");
            } else if got == 0.0 && expected != 0.0 {
                late_frames += 1;
            } else {
                assert!(
                    (got - expected).abs() < 1e-6,
                    "frame {frame} is {got}, not {expected}"
                );
            }
        }
        assert_eq!(separation.counts().late_frames, late_frames);
        let end = played.main.len() - 12_000;
        assert!(
            played.main[end..].iter().any(|&sample| sample != 0.0),
            "the stems never came back: {:?}",
            separation.counts()
        );
    }
}

/// Guards against the past sounding after a transport jump, above all the hop that the worker was
/// busy with when it came.
#[test]
fn nothing_from_before_a_reset_is_heard_after_it() {
    for block_frames in [64, 1000] {
        let (release, gate) = bounded(0);
        let model = FakeModel {
            gate: Some((3, gate)),
            ..FakeModel::new(1024)
        };
        let (separation, mut link) = start(OFFLINE, model);
        // Less than what must be waited for, and enough for the worker to stand at its gate.
        play(
            &mut link,
            &vec![0.9; 4000],
            block_frames,
            &mut Played::default(),
        );
        std::thread::sleep(Duration::from_millis(20));
        nice_assert_no_alloc::assert_no_alloc(|| link.reset());
        drop(release);
        let input = noise(20_000);
        let mut played = Played::default();
        play(&mut link, &input, block_frames, &mut played);
        let expected = delayed(&input, separation.latency_frames());
        assert_same(&played.main, &expected, 1e-6, "after the reset");
    }
}

/// Guards against lost hops in exports of hosts that claim to play, with a model slower than that.
#[test]
fn a_host_that_freewheels_loses_nothing() {
    let host = HostSetup {
        offline: false,
        max_block_frames: 64,
        ..OFFLINE
    };
    let model = FakeModel {
        compute: Duration::from_millis(120),
        ..FakeModel::new(4096)
    };
    let (separation, mut link) = start(host, model);
    let input = noise(60_000);
    let mut played = Played::default();
    play(&mut link, &input, 64, &mut played);
    assert_eq!(separation.counts(), Counts::default());
    let expected = delayed(&input, separation.latency_frames());
    assert_same(&played.main, &expected, 1e-6, "freewheeling");
}

/// Guards against silence, or another latency than the reported one, where there is no model.
#[test]
fn without_a_model_the_input_passes_at_the_reported_latency() {
    let dry = Phase::Dry {
        reason: "no engine: install it".to_owned(),
    };
    let monitor = Arc::new(Monitor::default());
    let (separation, mut link) =
        Separation::<FakeModel>::start(OFFLINE, None, dry.clone(), monitor);
    assert_eq!(separation.latency_frames(), LATENCY_WITHOUT_MODEL_FRAMES);
    assert_eq!(separation.phase(), dry);
    let input = noise(10_000);
    let mut played = Played::default();
    play(&mut link, &input, 63, &mut played);
    assert_eq!(played.main, delayed(&input, LATENCY_WITHOUT_MODEL_FRAMES));
    assert!(played.stems.iter().flatten().all(|&sample| sample == 0.0));
}

/// Guards against a host that hangs, or falls silent, when the model breaks while it plays.
#[test]
fn when_the_model_breaks_the_input_goes_on_at_the_same_latency() {
    let model = FakeModel {
        fails_from: 10,
        ..FakeModel::new(1024)
    };
    let (separation, mut link) = start(OFFLINE, model);
    let input = noise(60_000);
    let mut played = Played::default();
    play(&mut link, &input, 480, &mut played);
    assert!(matches!(separation.phase(), Phase::Dry { reason } if reason.contains("lights")));
    let expected = delayed(&input, separation.latency_frames());
    let end = 40_000..60_000;
    assert_eq!(played.main[end.clone()], expected[end.clone()]);
    assert!(
        played
            .stems
            .iter()
            .all(|stem| stem[end.clone()].iter().all(|&sample| sample == 0.0))
    );
}

/// Guards against a bypass that shifts the track, and against gains that click.
#[test]
fn gains_and_bypass_move_without_clicks_and_without_shifting() {
    let (separation, mut link) = start(OFFLINE, FakeModel::new(1024));
    let input = vec![0.5; 24_000];
    let mut played = Played::default();
    play(&mut link, &input[..12_000], 480, &mut played);
    let gains = [0.0, 1.0, 1.0, 2.0];
    let muted = Controls {
        strips: gains.map(|gain| Strip {
            gain,
            ..Strip::NEUTRAL
        }),
        ..NEUTRAL
    };
    for block in input[12_000..18_000].chunks(480) {
        play_block(&mut link, block, muted, &mut played);
    }
    for block in input[18_000..].chunks(480) {
        play_block(
            &mut link,
            block,
            Controls {
                bypass: true,
                ..NEUTRAL
            },
            &mut played,
        );
    }
    let latency = separation.latency_frames();
    for stream in played.stems.iter().chain([&played.main]) {
        for (frame, pair) in stream.windows(2).enumerate().skip(latency) {
            assert!(
                (pair[1] - pair[0]).abs() < 0.002,
                "a click at frame {frame}"
            );
        }
    }
    let settled = 17_000;
    for (index, (stem, gain)) in played.stems.iter().zip(gains).enumerate() {
        assert_eq!(stem[settled], 0.5 * PARTS[index] * gain);
    }
    assert_eq!(played.main[23_999], 0.5);
    assert_eq!(
        played.stems.each_ref().map(|stem| stem[23_999]),
        [0.0; STEMS]
    );
}

/// Guards against a model of another shape making noise on the wrong buses.
#[test]
fn a_model_with_other_stems_is_refused_in_words() {
    #[derive(Debug)]
    struct Karaoke(bunri_stream::ModelSpec);
    impl bunri_stream::StemModel for Karaoke {
        fn spec(&self) -> &bunri_stream::ModelSpec {
            &self.0
        }
        fn separate(
            &mut self,
            _chunk: &bunri_stream::Planar,
            _stems: &mut [bunri_stream::Planar],
        ) -> Result<(), bunri_stream::SeparateError> {
            Ok(())
        }
        fn reset(&mut self) {}
    }
    let spec = bunri_stream::ModelSpec {
        stems: vec!["voice".into(), "band".into()],
        ..bunri_stream::StemModel::spec(&FakeModel::new(64)).clone()
    };
    let reason = Fitting::new(Karaoke(spec)).expect_err("two stems on four buses");
    assert!(reason.contains("voice, band"), "{reason}");
}
