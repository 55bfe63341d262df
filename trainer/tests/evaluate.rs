//! The scores against the reference package's, and the whole subcommand on songs on disk.

use bunri_stream::Planar;
use bunri_trainer::evaluate::metrics::{joint_windowed_sdr, median};

#[derive(serde::Deserialize)]
struct Golden {
    window_frames: usize,
    frames: usize,
    sdr_db: Vec<Vec<Option<f64>>>,
    median_db: Vec<f64>,
}

/// The generator of `golden/make_museval_golden.py`.
fn noise(mut state: u32, frames: usize) -> Planar {
    let mut noise = Planar::zeros(2, frames);
    for frame in 0..frames {
        for channel in 0..2 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.channel_mut(channel)[frame] = ((state >> 16) as f32 - 32_768.0) / 65_536.0;
        }
    }
    noise
}

fn sum(parts: &[(&Planar, f32)]) -> Planar {
    let mut sum = Planar::zeros(2, parts[0].0.frames());
    for (part, gain) in parts {
        for (sum, part) in sum.channels_mut().zip(part.channels()) {
            sum.iter_mut()
                .zip(part)
                .for_each(|(sum, sample)| *sum += gain * sample);
        }
    }
    sum
}

/// Guards the framing, the channels being taken together, and museval's idea of silence.
#[test]
fn windowed_sdr_equals_museval() {
    let golden: Golden = serde_json::from_str(include_str!("golden/museval.json")).unwrap();
    let (window, frames) = (golden.window_frames, golden.frames);

    let mut references: Vec<Planar> = (1..=3).map(|seed| noise(seed, frames)).collect();
    for channel in references[0].channels_mut() {
        channel[2 * window..3 * window].fill(0.0);
    }
    for frame in 4 * window..5 * window {
        references[1].channel_mut(1)[frame] = -references[1].channel(0)[frame];
    }
    let [first, second, third] = &references[..] else {
        unreachable!()
    };
    let mut estimates = [
        sum(&[(first, 0.5), (second, 0.125)]),
        sum(&[(second, 1.0), (&noise(11, frames), 0.25)]),
        sum(&[
            (third, 0.75),
            (first, 0.0625),
            (&noise(12, frames), 0.03125),
        ]),
    ];
    for channel in estimates[2].channels_mut() {
        channel[6 * window..7 * window].fill(0.0);
    }

    let pairs: Vec<(&Planar, &Planar)> = references.iter().zip(&estimates).collect();
    let scores = joint_windowed_sdr(&pairs, window);
    for (stem, (scores, expected)) in scores.iter().zip(&golden.sdr_db).enumerate() {
        assert_eq!(
            scores.len(),
            expected.len(),
            "stem {stem}: number of windows"
        );
        for (window, (score, expected)) in scores.iter().zip(expected).enumerate() {
            let agrees = expected.map_or(score.is_nan(), |db| (score - db).abs() < 1e-6);
            assert!(
                agrees,
                "stem {stem}, window {window}: {score}, museval {expected:?}"
            );
        }
        let median = median(scores.iter().copied()).unwrap();
        assert!(
            (median - golden.median_db[stem]).abs() < 1e-6,
            "stem {stem}: median {median}"
        );
    }
}
