//! What the faders and switches do to the stems, to the bit where bits are promised.

use bunri_plugin::exchange::{HostSetup, STEMS};
use bunri_plugin::link::{Controls, Strip};
use bunri_stream::{HostOptions, HostSeparator, Planar};

use crate::OFFLINE;
use crate::fakes::{
    FakeModel, NEUTRAL, PARTS, Played, assert_same, delayed, noise, play_block, play_stereo, start,
};

/// A model whose stems add up to a tenth less than its input, so that there is a residual.
fn lossy() -> FakeModel {
    FakeModel {
        loudness: 0.9,
        ..FakeModel::new(512)
    }
}

/// The stems that everybody else gets: `HostSeparator` as `bounce` uses it.
fn bounced(host: &HostSetup, consistency: bool, left: &[f32], right: &[f32]) -> Vec<Planar> {
    let options = HostOptions {
        consistency,
        ..HostOptions::default()
    };
    let mut separator =
        HostSeparator::new(lossy(), host.rate_hz, options).expect("a fake that fits");
    let input =
        Planar::from_channels(vec![left.to_vec(), right.to_vec()]).expect("a fake that fits");
    let mut stems = Vec::new();
    separator
        .push(&input, &mut stems)
        .expect("a fake that fits");
    stems
}

/// Guards the promise that a rendered stem is the bounced one, with and without consistency, at the
/// model's rate and at another: the correction is added elsewhere than in `bounce`.
#[test]
fn neutral_stems_have_the_bits_of_the_bounce() {
    let input = noise(30_000);
    let other: Vec<f32> = input.iter().rev().copied().collect();
    for rate_hz in [48_000, 44_100] {
        let host = HostSetup { rate_hz, ..OFFLINE };
        for consistency in [true, false] {
            let controls = Controls {
                consistency,
                ..NEUTRAL
            };
            let (separation, mut link) = start(host, lossy());
            let buses = play_stereo(&mut link, [&input, &other], 700, &controls);
            let stems = bounced(&host, consistency, &input, &other);
            // The bounce's frame `i` is input frame `i - delay`; the plugin plays it a lag later.
            let separator = HostSeparator::new(lossy(), rate_hz, HostOptions::default()).unwrap();
            let lag = separation.latency_frames() - separator.delay_frames();
            for (bus, (got, name)) in buses
                .stems
                .iter()
                .zip(bunri_plugin::exchange::STEM_NAMES)
                .enumerate()
            {
                let expected = &stems[STEMS - 1 - bus]; // fakes have them the other way round
                for (channel, got) in got.iter().enumerate() {
                    let got = &got[lag..];
                    let expected = &expected.channel(channel)[..got.len()];
                    assert_eq!(
                        got, expected,
                        "{name}, {rate_hz} Hz, consistency {consistency}"
                    );
                }
            }
        }
    }
}

/// Guards the null test that users make: at unity the main bus less the delayed input must be
/// below -120 dBFS, also where rates are converted.
#[test]
fn at_unity_the_mix_nulls_against_the_delayed_input() {
    let input = noise(40_000);
    for rate_hz in [44_100, 48_000, 22_050, 192_000] {
        let host = HostSetup { rate_hz, ..OFFLINE };
        let (separation, mut link) = start(host, lossy());
        let mut played = Played::default();
        for block in input.chunks(512) {
            play_block(&mut link, block, NEUTRAL, &mut played);
        }
        let expected = delayed(&input, separation.latency_frames());
        // -120 dBFS.
        assert_same(&played.main, &expected, 1e-6, &format!("{rate_hz} Hz"));
    }
}

/// What comes out at rest with one strip set, of a constant input of 0.5 left and 0.25 right.
fn at_rest(controls: &Controls) -> ([f32; 2], [[f32; 2]; STEMS]) {
    let (_separation, mut link) = start(OFFLINE, FakeModel::new(512));
    let (left, right) = (vec![0.5; 12_000], vec![0.25; 12_000]);
    let buses = play_stereo(&mut link, [&left, &right], 600, controls);
    let last = |channels: &[Vec<f32>; 2]| channels.each_ref().map(|channel| channel[11_999]);
    (last(&buses.main), buses.stems.each_ref().map(last))
}

fn with_strips(change: impl Fn(usize) -> Strip) -> Controls {
    Controls {
        strips: std::array::from_fn(change),
        ..NEUTRAL
    }
}

#[test]
fn solo_silences_the_others_and_mute_wins() {
    let vocals = |index| Strip {
        solo: index >= 2,
        mute: index == 2,
        ..Strip::NEUTRAL
    };
    let (main, stems) = at_rest(&with_strips(vocals));
    assert_eq!(stems[..3], [[0.0; 2]; 3]);
    assert_eq!(stems[3], [0.5 * PARTS[3], 0.25 * PARTS[3]]);
    assert_eq!(main, stems[3]);
}

/// Guards against a pan that boosts, or that touches the middle.
#[test]
fn pan_turns_one_side_down_and_width_the_difference() {
    let only_bass = |strip: Strip| {
        let set = move |index| if index == 1 { strip } else { Strip::NEUTRAL };
        at_rest(&with_strips(set)).1[1].map(|sample| sample / PARTS[1])
    };
    let pan = |pan| Strip {
        pan,
        ..Strip::NEUTRAL
    };
    assert_eq!(only_bass(pan(0.0)), [0.5, 0.25]);
    assert_eq!(only_bass(pan(1.0)), [0.0, 0.25]);
    assert_eq!(only_bass(pan(-1.0)), [0.5, 0.0]);
    assert_eq!(only_bass(pan(-0.5)), [0.5, 0.125]);
    let width = |width| Strip {
        width,
        ..Strip::NEUTRAL
    };
    assert_eq!(only_bass(width(1.0)), [0.5, 0.25]);
    assert_eq!(only_bass(width(0.0)), [0.375, 0.375]);
    assert_eq!(only_bass(width(2.0)), [0.625, 0.125]);
}

/// Guards against a dry signal that is early, doubled or lost, and stem buses that hear it.
#[test]
fn dry_wet_is_a_straight_line_between_input_and_mix() {
    let muted = |_| Strip {
        mute: true,
        ..Strip::NEUTRAL
    };
    for (dry_wet, expected) in [(0.0, 0.5), (0.25, 0.375), (1.0, 0.0)] {
        let controls = Controls {
            dry_wet,
            ..with_strips(muted)
        };
        let (main, stems) = at_rest(&controls);
        assert_eq!(main[0], expected);
        assert_eq!(stems, [[0.0; 2]; STEMS]);
    }
}

#[test]
fn stem_buses_can_be_taken_before_the_strips() {
    let quiet = |_| Strip {
        gain: 0.5,
        pan: 1.0,
        solo: false,
        mute: true,
        width: 0.0,
    };
    let controls = Controls {
        aux_pre_fader: true,
        ..with_strips(quiet)
    };
    let (main, stems) = at_rest(&controls);
    assert_eq!(main, [0.0; 2]);
    assert_eq!(stems, PARTS.map(|part| [0.5 * part, 0.25 * part]));
}

/// Guards against zipper noise and clicks from any control, however it is thrown about.
#[test]
fn no_control_clicks() {
    let left = vec![0.5; 40_000];
    let loud = |index: usize| Strip {
        gain: if index == 0 { 3.98 } else { 0.0 },
        ..Strip::NEUTRAL
    };
    let panned = |_| Strip {
        pan: -1.0,
        width: 2.0,
        ..Strip::NEUTRAL
    };
    let all = [
        NEUTRAL,
        with_strips(loud),
        Controls {
            bypass: true,
            ..NEUTRAL
        },
        with_strips(panned),
        Controls {
            consistency: false,
            ..NEUTRAL
        },
        Controls {
            dry_wet: 0.0,
            ..with_strips(panned)
        },
        Controls {
            aux_pre_fader: true,
            ..with_strips(loud)
        },
    ];
    let (separation, mut link) = start(OFFLINE, lossy());
    let mut played = Played::default();
    // Long enough in each for a ramp to be half way, or to have arrived, when the next begins.
    for (index, block) in left.chunks(500).enumerate() {
        play_block(
            &mut link,
            block,
            all[(index / 3 * 5) % all.len()],
            &mut played,
        );
    }
    let settled = separation.latency_frames() + 512;
    for (bus, stream) in played.stems.iter().chain([&played.main]).enumerate() {
        for (frame, pair) in stream.windows(2).enumerate().skip(settled) {
            // Two of the steepest ramps at once: 20 ms from nothing to 3.98 × 0.5.
            let step = (pair[1] - pair[0]).abs();
            assert!(step < 0.005, "bus {bus}: a step of {step} at frame {frame}");
        }
    }
}

/// Guards sample-accurate automation: nice-plug splits blocks at changes, and the ramp must begin
/// with the very first frame of the second part.
#[test]
fn a_change_begins_with_its_frame() {
    let muted = with_strips(|_| Strip {
        mute: true,
        ..Strip::NEUTRAL
    });
    let input = vec![0.5; 10_000];
    for change_at in [8000, 8001, 8063] {
        let (_separation, mut link) = start(OFFLINE, FakeModel::new(256));
        let mut played = Played::default();
        let (before, after) = input.split_at(change_at);
        for block in before.chunks(64) {
            play_block(&mut link, block, NEUTRAL, &mut played);
        }
        for block in after.chunks(64) {
            play_block(&mut link, block, muted, &mut played);
        }
        assert_eq!(played.main[change_at - 1], 0.5);
        assert!(played.main[change_at] < 0.5);
        assert_eq!(played.main[change_at + 960], 0.0);
    }
}
