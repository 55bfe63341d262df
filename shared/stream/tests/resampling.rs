//! Rate conversion, measured: flat, free of images and aliases, and exactly in time.
//!
//! Run with `--no-capture` to see the figures.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod fakes;

use bunri_stream::{Planar, RateConverter, resample_clip};
use fakes::{block_sizes, blocks, noise};
use proptest::prelude::*;
use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Resampler};
use std::f64::consts::TAU;

/// Up, down, by simple ratios, by tabulated phases, and by interpolated ones (the last three).
const PAIRS: [(u32, u32); 11] = [
    (44_100, 48_000),
    (48_000, 44_100),
    (96_000, 44_100),
    (44_100, 96_000),
    (88_200, 44_100),
    (44_100, 192_000),
    (192_000, 44_100),
    (8_000, 44_100),
    (44_100, 47_999),
    (47_999, 44_100),
    (44_101, 44_100),
];

fn mono(samples: impl Iterator<Item = f64>) -> Planar {
    Planar::from_channels(vec![samples.map(|sample| sample as f32).collect()]).unwrap()
}

fn tone(rate: u32, frequency: f64, frames: usize) -> Planar {
    mono((0..frames).map(|n| (TAU * frequency * n as f64 / f64::from(rate)).sin()))
}

/// A sine's amplitude, its phase in cycles against time 0, and the RMS of what else there is
/// (relative to a sine of amplitude one), away from the clip's ends.
struct Measured {
    gain: f64,
    phase: f64,
    residual: f64,
}

fn measure(clip: &Planar, rate: u32, frequency: f64) -> Measured {
    let samples = clip.channel(0);
    let edge = samples.len() / 8;
    let inside = edge..samples.len() - edge;
    let angle = |n: usize| TAU * frequency * n as f64 / f64::from(rate);
    // Least squares for a sine and a cosine.
    let (mut ss, mut sc, mut cc, mut ys, mut yc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for n in inside.clone() {
        let ((sin, cos), y) = (angle(n).sin_cos(), f64::from(samples[n]));
        ss += sin * sin;
        sc += sin * cos;
        cc += cos * cos;
        ys += y * sin;
        yc += y * cos;
    }
    let determinant = ss * cc - sc * sc;
    let a = (ys * cc - yc * sc) / determinant;
    let b = (yc * ss - ys * sc) / determinant;
    let square = |n: usize| {
        let (sin, cos) = angle(n).sin_cos();
        (f64::from(samples[n]) - a * sin - b * cos).powi(2)
    };
    let mean_square = inside.clone().map(square).sum::<f64>() / inside.len() as f64;
    Measured {
        gain: a.hypot(b),
        phase: b.atan2(a) / TAU,
        residual: (2.0 * mean_square).sqrt(),
    }
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

/// Guards the sound: dull highs, and images of what lies below the lower Nyquist frequency.
#[test]
fn the_band_is_flat_on_time_and_without_images() {
    for (from, to) in PAIRS {
        let nyquist = f64::from(from.min(to)) / 2.0;
        let (mut ripple, mut images, mut slip): (f64, f64, f64) = (0.0, 0.0, 0.0);
        for percent in [
            0.3, 1.0, 5.0, 12.3, 25.0, 40.0, 55.5, 70.0, 80.0, 88.0, 90.0, 91.0, 95.0, 98.0, 99.5,
        ] {
            let frequency = nyquist * percent / 100.0;
            let frames = from as usize / 4;
            let clip = resample_clip(&tone(from, frequency, frames), from, to).unwrap();
            let Measured {
                gain,
                phase,
                residual,
            } = measure(&clip, to, frequency);
            images = images.max(residual);
            if percent <= 91.0 {
                ripple = ripple.max(db(gain).abs());
                // In input frames: a cycle lasts `from / frequency` of them.
                slip = slip.max(phase.abs() * f64::from(from) / frequency);
            }
        }
        println!(
            "{from} -> {to}: ripple {ripple:.5} dB to 0.91, slip {slip:.1e} frames, \
             images {:.1} dB",
            db(images)
        );
        assert!(ripple < 0.01, "{from} -> {to}: {ripple} dB from flat");
        assert!(slip < 1e-4, "{from} -> {to}: {slip} frames late");
        assert!(
            db(images) < -100.0,
            "{from} -> {to}: images at {} dB",
            db(images)
        );
    }
}

/// Guards against aliases: what lies above the new Nyquist frequency must vanish, not fold back.
#[test]
fn what_the_lower_rate_cannot_hold_is_gone() {
    for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
        let (nyquist, top) = (f64::from(to) / 2.0, f64::from(from) / 2.0);
        let mut worst: f64 = 0.0;
        for step in 0..20 {
            let frequency = nyquist + (top - nyquist) * (f64::from(step) + 0.02) / 20.0;
            let clip = resample_clip(&tone(from, frequency, from as usize / 4), from, to).unwrap();
            let edge = clip.frames() / 8;
            let inside = &clip.channel(0)[edge..clip.frames() - edge];
            let power: f64 = inside.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            worst = worst.max((2.0 * power / inside.len() as f64).sqrt());
        }
        println!("{from} -> {to}: aliases {:.1} dB", db(worst));
        assert!(
            db(worst) < -100.0,
            "{from} -> {to}: aliases at {} dB",
            db(worst)
        );
    }
}

/// Guards the time of single events, where a sine's phase could be a whole period off: a pulse
/// around a known instant is that same pulse around that instant at the other rate.
#[test]
fn a_pulse_stays_where_it_is() {
    for (from, to) in PAIRS {
        // A tenth of the lower rate wide in the spectrum: a Gaussian is nothing beyond that.
        let width = 4.0 / f64::from(from.min(to));
        let instant = 0.12345;
        let pulse = |rate: u32| {
            let frames = rate as usize / 4;
            mono((0..frames).map(move |n| {
                let distance = (n as f64 / f64::from(rate) - instant) / width;
                (-0.5 * distance * distance).exp()
            }))
        };
        let (got, wanted) = (resample_clip(&pulse(from), from, to).unwrap(), pulse(to));
        assert!(got.frames().abs_diff(wanted.frames()) <= 1);
        let error = got.channel(0).iter().zip(wanted.channel(0));
        let error = error
            .map(|(got, wanted)| (got - wanted).abs())
            .fold(0.0, f32::max);
        // One hundredth of a frame would already be 1.5e-3 on the pulse's flank.
        assert!(error < 1e-5, "{from} -> {to}: error {error}");
    }
}

/// Guards against an error of our own that our own measurements share: rubato's FFT converter
/// agrees on a chord within the band.
#[test]
fn rubato_agrees() {
    let (from, to) = (44_100, 48_000);
    let frames = 147 * 200;
    let chord = |n: usize| {
        let sine = |hz: f64| (TAU * hz * n as f64 / f64::from(from)).sin() / 4.0;
        sine(61.0) + sine(997.0) + sine(7_321.5) + sine(15_000.0)
    };
    let input = mono((0..frames).map(chord));
    let ours = resample_clip(&input, from, to).unwrap();

    let mut theirs = Fft::<f32>::new(from as usize, to as usize, 2048, 1, FixedSync::Both).unwrap();
    let (step_in, step_out) = (theirs.input_frames_next(), theirs.output_frames_next());
    let mut reference = Vec::new();
    for chunk in input.channel(0).chunks_exact(step_in) {
        let (chunk, mut out) = (vec![chunk.to_vec()], vec![vec![0.0; step_out]]);
        let chunk = SequentialSliceOfVecs::new(&chunk, 1, step_in).unwrap();
        let mut adapter = SequentialSliceOfVecs::new_mut(&mut out, 1, step_out).unwrap();
        theirs
            .process_into_buffer(&chunk, &mut adapter, None)
            .unwrap();
        reference.extend_from_slice(&out[0]);
    }
    let reference = &reference[theirs.output_delay()..];
    let inside = 4000..reference.len() - 4000;
    let difference = inside
        .map(|frame| (ours.channel(0)[frame] - reference[frame]).abs())
        .fold(0.0, f32::max);
    println!(
        "greatest difference from rubato: {:.1} dB",
        db(f64::from(difference))
    );
    assert!(difference < 1e-5, "differs by {difference}");
}

/// Guards against a clip that changes at all when nothing has to be converted.
#[test]
fn equal_rates_give_the_clip_back() {
    let clip = noise(1000);
    assert_eq!(resample_clip(&clip, 44_100, 44_100).unwrap(), clip);
}

/// Guards against filters of gigabytes, and divisions by zero.
#[test]
fn impossible_rates_are_refused_with_their_numbers() {
    for (from, to) in [
        (0, 44_100),
        (44_100, 0),
        (1_000, 64_000),
        (0, 0),
        (u32::MAX, 1),
    ] {
        let error = RateConverter::new(from, to, 2).unwrap_err();
        assert_eq!((error.from_hz, error.to_hz), (from, to));
        assert!(resample_clip(&noise(10), from, to).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Guards against state lost between blocks, wrong lengths, and counts told wrongly.
    #[test]
    fn any_blocks_give_the_same_bits(
        pair in proptest::sample::select(&PAIRS[..]), frames in 0..3000usize, sizes in block_sizes()
    ) {
        let (from, to) = pair;
        let input = noise(frames);
        let whole = resample_clip(&input, from, to).unwrap();
        let exact = frames as f64 * f64::from(to) / f64::from(from);
        prop_assert_eq!(whole.frames(), exact.round() as usize);
        let mut converter = RateConverter::new(from, to, 2).unwrap();
        for _stream in 0..2 {
            let (mut output, mut pushed) = (Planar::zeros(2, 0), 0);
            for block in blocks(&input, &sizes) {
                converter.push(&block, &mut output);
                pushed += block.frames();
                prop_assert_eq!(output.frames() as u64, converter.frames_after(pushed as u64));
            }
            converter.flush(&mut output);
            prop_assert_eq!(&output, &whole);
        }
    }
}
