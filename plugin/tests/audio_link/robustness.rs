//! What hosts and models do wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bunri_plugin::exchange::HostSetup;
use bunri_plugin::monitor::Phase;
use bunri_stream::ModelSpec;
use crossbeam_channel::bounded;

use crate::OFFLINE;
use crate::fakes::{
    FakeModel, Live, NEUTRAL, Played, assert_same, delayed, noise, play, play_stereo, start,
};

/// Guards against a NaN, an infinity or a number so large that its square is one, which would live
/// on in a recurrent model and reach the speakers on every path.
#[test]
fn strange_numbers_end_with_their_frame() {
    let strange = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        -3.0e38,
        f32::MIN_POSITIVE / 4.0,
    ];
    let clean = noise(30_000);
    let mut input = clean.clone();
    for (index, value) in strange.into_iter().enumerate() {
        input[3000 + 500 * index] = value;
    }
    let mut dry = NEUTRAL;
    dry.dry_wet = 0.5;
    let mut bypassed = NEUTRAL;
    bypassed.bypass = true;
    for controls in [NEUTRAL, dry, bypassed] {
        let (separation, mut link) = start(OFFLINE, FakeModel::new(256));
        let buses = play_stereo(&mut link, [&input, &input], 500, &controls);
        for bus in buses.stems.iter().chain([&buses.main]) {
            assert!(bus.iter().flatten().all(|sample| sample.is_finite()));
        }
        // One chunk after the last of them all is as if nothing had been.
        let recovered = 5501 + separation.latency_frames() + 256;
        let expected = delayed(&clean, separation.latency_frames());
        let what = format!("{controls:?}");
        assert_same(
            &buses.main[0][recovered..],
            &expected[recovered..],
            1e-6,
            &what,
        );
    }
}

/// Guards against a model that, once it has made a NaN, makes nothing else for ever.
#[test]
fn a_model_that_makes_nan_is_reset_and_goes_on() {
    let model = FakeModel {
        sick_from: 9,
        ..FakeModel::new(512)
    };
    let (separation, mut link) = start(OFFLINE, model);
    let input = noise(20_000);
    let buses = play_stereo(&mut link, [&input, &input], 480, &NEUTRAL);
    for bus in buses.stems.iter().chain([&buses.main]) {
        assert!(bus.iter().flatten().all(|sample| sample.is_finite()));
    }
    // With consistency the chunk that failed is an equal share of the input on every bus.
    let expected = delayed(&input, separation.latency_frames());
    assert_same(&buses.main[0], &expected, 1e-6, "the mix");
    let last = 19_999;
    assert_eq!(buses.stems[1][0][last], 0.25 * expected[last]);
    assert_eq!(separation.phase(), Phase::Separating);
}

/// Guards against a lost GPU, or any other error of the model's, that takes the sound or the host
/// with it: the reason is told, and the input goes on at the same latency.
#[test]
fn a_lost_device_is_dry_audio_with_its_reason() {
    let model = FakeModel {
        fails_from: 5,
        failure: "CUDA error: device-side assert triggered on cuda:0",
        ..FakeModel::new(512)
    };
    let (separation, mut link) = start(OFFLINE, model);
    let input = noise(40_000);
    let mut played = Played::default();
    play(&mut link, &input, 480, &mut played);
    assert!(
        matches!(separation.phase(), Phase::Dry { reason } if reason.contains("device-side assert"))
    );
    let expected = delayed(&input, separation.latency_frames());
    assert_same(&played.main[30_000..], &expected[30_000..], 0.0, "dry");
    assert!(
        played
            .stems
            .iter()
            .all(|stem| stem[30_000..] == [0.0; 10_000])
    );
}

/// Guards against silence where the user wants to hear the track: it is at its place, faded in within 20 ms,
/// and gives way to the stems without a step.
#[test]
fn a_dropout_is_covered_by_the_track_if_that_is_wanted() {
    let host = HostSetup {
        max_block_frames: 480,
        offline: false,
        ..OFFLINE
    };
    let (release, gate) = bounded(0);
    let model = FakeModel {
        gate: Some((20, gate)),
        ..FakeModel::new(1024)
    };
    let (separation, mut link) = start(host, model);
    let input = noise(72_000);
    let (stalled, after) = input.split_at(43_200); // the model stands from about 0.45 s to 0.9 s
    let mut controls = NEUTRAL;
    controls.dry_in_dropouts = true;
    let mut played = Played::default();
    let mut live = Live {
        rate_hz: host.rate_hz,
        started: Instant::now(),
        frames: 0,
    };
    live.play_with(&mut link, stalled, 480, controls, &mut played);
    drop(release); // before any assertion: a worker at its gate cannot be ended
    live.play_with(&mut link, after, 480, controls, &mut played);

    let counts = separation.counts();
    assert!(
        counts.dropouts >= 1 && counts.late_frames > 9600,
        "{counts:?}"
    );
    let latency = separation.latency_frames();
    let expected = delayed(&input, latency);
    let (mut faded, mut covered) = (0, 0);
    for frame in latency + 480..input.len() {
        let (got, expected) = (played.main[frame], expected[frame]);
        assert!(
            got.abs() <= expected.abs() + 1e-6,
            "frame {frame}: {got}, {expected}"
        );
        if (got - expected).abs() > 1e-6 {
            faded += 1;
        } else if played.stems.iter().all(|stem| stem[frame] == 0.0) {
            covered += 1;
        }
    }
    assert!(
        faded <= 960 * counts.dropouts,
        "{faded} frames in fades, {counts:?}"
    );
    assert!(covered > 9600 - 960, "{covered} frames covered");
}

/// Guards against a worker that hangs for seconds (a laptop that sleeps, a driver that recovers):
/// its dropouts are counted to the frame, and what comes afterwards is in its place to the sample.
#[test]
fn a_stall_of_two_seconds_is_counted_and_leaves_nothing_out_of_place() {
    let host = HostSetup {
        max_block_frames: 4800,
        offline: false,
        ..OFFLINE
    };
    let (release, gate) = bounded(0);
    let model = FakeModel {
        gate: Some((20, gate)),
        ..FakeModel::new(1024)
    };
    let (separation, mut link) = start(host, model);
    let input = noise(4 * 48_000);
    let (stalled, after) = input.split_at(120_000); // from about 0.5 s to 2.5 s
    let mut played = Played::default();
    let mut live = Live {
        rate_hz: host.rate_hz,
        started: Instant::now(),
        frames: 0,
    };
    live.play(&mut link, stalled, 480, &mut played);
    drop(release); // before any assertion: a worker at its gate cannot be ended
    live.play(&mut link, after, 480, &mut played);

    let counts = separation.counts();
    assert!(counts.dropouts >= 1 && counts.restarts >= 1, "{counts:?}");
    let latency = separation.latency_frames();
    let expected = delayed(&input, latency);
    let mut late = 0;
    for (frame, (&got, &expected)) in played.main.iter().zip(&expected).enumerate() {
        if frame >= latency + 480 && got == 0.0 && expected != 0.0 {
            late += 1;
        } else if frame >= latency + 480 {
            let off = (got - expected).abs();
            assert!(off < 1e-6, "frame {frame} is {got}, not {expected}");
        }
    }
    assert_eq!(counts.late_frames, late);
    assert!(
        played.main[180_000..].iter().any(|&sample| sample != 0.0),
        "the stems never came back: {counts:?}"
    );
}

/// Guards against a render that loses what the worker was late with.
#[test]
fn the_stall_of_a_render_does_not_lose_a_frame() {
    let (release, gate) = bounded(0);
    let model = FakeModel {
        gate: Some((6, gate)),
        ..FakeModel::new(512)
    };
    let (separation, mut link) = start(OFFLINE, model);
    let waker = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1500));
        drop(release);
    });
    let input = noise(20_000);
    let mut played = Played::default();
    play(&mut link, &input, 480, &mut played);
    waker.join().unwrap();
    let expected = delayed(&input, separation.latency_frames());
    assert_same(&played.main, &expected, 1e-6, "the render");
    assert_eq!(separation.counts().late_frames, 0);
}

/// Guards against a worker that, once late, stays late: for it works through what nobody can hear any
/// more. And against one that lets go too much: a chunk that reaches into what is heard.
#[test]
fn a_late_worker_lets_go_what_nobody_can_hear() {
    const HOP: usize = 1024;
    const BLOCK: usize = 480;
    const STALLED_AT: usize = 12;
    const STALLED_UNTIL: usize = 25_000;
    let causal = FakeModel::new(HOP).spec;
    let windowed = ModelSpec {
        chunk_frames: 4 * HOP,
        lookahead_frames: 1500,
        crossfade_frames: 700,
        ..causal.clone()
    };
    for (spec, rate_hz) in [
        (causal.clone(), 48_000),
        (windowed.clone(), 48_000),
        (causal, 44_100),
        (windowed, 44_100),
    ] {
        let what = format!("{spec:?} at {rate_hz} Hz");
        // So long does the worker have for a hop: 0.1 s.
        let host = HostSetup {
            rate_hz,
            max_block_frames: 4800,
            offline: false,
        };
        let (release, gate) = bounded(0);
        let separated = Arc::new(AtomicUsize::new(0));
        let model = FakeModel {
            // The first chunk is shown before the host plays.
            gate: Some((1 + STALLED_AT, gate)),
            separated: Arc::clone(&separated),
            spec: spec.clone(),
            ..FakeModel::new(HOP)
        };
        let (separation, mut link) = start(host, model);
        let input = noise(STALLED_UNTIL + 30_000);
        let mut played = Played::default();
        let mut live = Live {
            rate_hz,
            started: Instant::now(),
            frames: 0,
        };
        let (stalled, after) = input.split_at(STALLED_UNTIL);
        live.play(&mut link, stalled, BLOCK, &mut played);
        drop(release); // before any assertion: a worker at its gate cannot be ended
        live.play(&mut link, after, BLOCK, &mut played);

        let latency = separation.latency_frames();
        // The hops after the one at the gate that ended so early that all they reach was past when the
        // gate opened; the worker may take a block more at once, and resamplers some frames.
        let passed = STALLED_UNTIL - latency - 1024 - 200;
        let in_hops = passed * 48_000 / rate_hz as usize / HOP;
        let unheard = in_hops - (STALLED_AT + 1);
        let all = input.len() * 48_000 / rate_hz as usize / HOP + 1;
        drop(separation);
        let separated = separated.load(Ordering::Relaxed);
        assert!(unheard >= 1, "{what}: the test is of no use");
        assert!(
            separated + unheard <= all,
            "{what}: {separated} of {all} chunks, of which {unheard} nobody heard"
        );

        // What is heard is what a host that renders hears: nothing of a chunk that was let go.
        let offline = HostSetup {
            offline: true,
            ..host
        };
        let (_separation, mut link) = start(
            offline,
            FakeModel {
                spec,
                ..FakeModel::new(HOP)
            },
        );
        let mut rendered = Played::default();
        play(&mut link, &input, BLOCK, &mut rendered);
        let faded = latency..latency + BLOCK;
        let mut heard = 0;
        for (frame, (&got, &expected)) in
            std::iter::zip(&played.stems[0], &rendered.stems[0]).enumerate()
        {
            if faded.contains(&frame) || got == 0.0 {
                continue;
            }
            heard += usize::from(frame > STALLED_UNTIL);
            assert!(
                (got - expected).abs() < 1e-6,
                "{what}: frame {frame} is {got}, not {expected}"
            );
        }
        assert!(heard > 0, "{what}: the stems never came back");
    }
}
