//! Each effect does what it is named for, and leaves alone what it must.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::data::fixtures::{difference, noise};

const RATE_HZ: u32 = 44_100;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn sine(frames: usize, frequency_hz: f32, peak: f32) -> Planar {
    let turn = std::f32::consts::TAU * frequency_hz / RATE_HZ as f32;
    let channel: Vec<f32> = (0..frames)
        .map(|i| (i as f32 * turn).sin() * peak)
        .collect();
    Planar::from_channels(vec![channel.clone(), channel]).unwrap()
}

/// Guards against a cut-off at half or twice its frequency, blocks that do not overlap to one, and
/// rounding whose noise is not the one asked for.
#[test]
fn a_coder_cuts_off_and_adds_the_noise_that_it_is_told() {
    let codec = CodecConfig {
        probability: 1.0,
        cutoff_hz: [12_000.0, 12_000.0],
        noise_db: [-20.0, -20.0],
    };
    let coded = |before: &Planar| {
        let mut after = before.clone();
        codec.apply(&mut [&mut after], RATE_HZ, &mut rng());
        after
    };
    let frames = 20_000;
    let high = sine(frames, 14_000.0, 0.5);
    assert!(rms(&coded(&high)) < 0.01 * rms(&high), "above the cut-off");
    // Low noise: everything is below the cut-off.
    let mut low = noise(frames, 1, 0.5);
    CodecConfig {
        cutoff_hz: [10_000.0, 10_000.0],
        noise_db: [-80.0, -80.0],
        ..codec
    }
    .apply(&mut [&mut low], RATE_HZ, &mut rng());
    let mut error = coded(&low);
    for (error, low) in error.channels_mut().zip(low.channels()) {
        error.iter_mut().zip(low).for_each(|(e, low)| *e -= low);
    }
    let noise_db = 20.0 * (rms(&error) / rms(&low)).log10();
    // 20 dB in the lowest band, 5 dB more at 10 kHz: the mean power lies between.
    assert!((-20.0..-15.0).contains(&noise_db), "{noise_db} dB");
    let middle = |audio: &Planar| audio.slice(5_000, 10_000);
    let fine = CodecConfig {
        noise_db: [-100.0, -100.0],
        cutoff_hz: [30_000.0, 30_000.0],
        probability: 1.0,
    };
    let before = noise(frames, 2, 0.5);
    let mut after = before.clone();
    fine.apply(&mut [&mut after], RATE_HZ, &mut rng());
    // Nothing is lost but the rounding, -94 dB of a peak of 0.5 at the most.
    assert!(difference(&middle(&before), &middle(&after)) < 1e-4);
    assert!(difference(&before, &after) < 1e-4, "at both ends too");
}

/// Guards against a compressor that follows one part instead of their sum: a quiet part must be
/// turned down by a loud one.
#[test]
fn a_compressor_turns_all_parts_down_together() {
    let compressor = CompressorConfig {
        probability: 1.0,
        threshold_db: [-20.0, -20.0],
        ratio: [4.0, 4.0],
        release_seconds: [0.1, 0.1],
    };
    let frames = 20_000;
    let mut loud = sine(frames, 200.0, 0.5);
    loud.channels_mut()
        .for_each(|channel| channel[..frames / 2].fill(0.0));
    let mut quiet = sine(frames, 1_000.0, 0.01);
    compressor.apply(&mut [&mut loud, &mut quiet], RATE_HZ, &mut rng());
    let before = rms(&quiet.slice(2_000, 5_000));
    let after = rms(&quiet.slice(14_000, 5_000));
    assert!(
        (before / 0.007_07 - 1.0).abs() < 0.01,
        "below the threshold: {before}"
    );
    // The follower of peaks sits a little below 0.5: 20 dB above the threshold, 15 dB taken off.
    let reduction_db = 20.0 * (after / before).log10();
    assert!((-15.5..-11.0).contains(&reduction_db), "{reduction_db} dB");
}

#[test]
fn an_equaliser_stays_within_its_gains_and_a_room_rings() {
    let equaliser = EqualiserConfig {
        probability: 1.0,
        max_gain_db: 6.0,
    };
    for seed in 0..10 {
        let mut part = noise(20_000, seed, 0.1);
        let before = rms(&part);
        equaliser.apply(&mut part, RATE_HZ, &mut ChaCha8Rng::seed_from_u64(seed));
        let change_db = 20.0 * (rms(&part) / before).log10();
        // Four bands of 6 dB that all lie on one another.
        assert!(change_db.abs() < 24.0 && change_db != 0.0, "{change_db} dB");
    }
    let room = RoomConfig {
        probability: 1.0,
        ..RoomConfig::default()
    };
    let mut part = Planar::zeros(2, 30_000);
    part.channels_mut().for_each(|channel| channel[0] = 1.0);
    room.apply(&mut part, RATE_HZ, &mut rng());
    assert_eq!(part.channel(0)[0], 1.0, "the direct sound stays");
    assert!(rms(&part.slice(5_000, 5_000)) > 1e-6, "something rings");
    assert!(
        rms(&part.slice(25_000, 5_000)) < rms(&part.slice(5_000, 5_000)),
        "and fades"
    );
}
