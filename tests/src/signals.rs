//! What goes into the plugin, and how what comes out is judged.

use bunri_stream::Planar;

/// Silence with one frame of `[left, right]` at `at`: `[2][frames]`.
#[must_use]
pub fn impulse(frames: usize, at: usize, [left, right]: [f32; 2]) -> Planar {
    let mut signal = Planar::zeros(2, frames);
    signal.channel_mut(0)[at] = left;
    signal.channel_mut(1)[at] = right;
    signal
}

/// Stereo noise in −0.5..0.5, the same for the same seed: `[2][frames]`.
#[must_use]
pub fn noise(frames: usize, seed: u64) -> Planar {
    // Numerical Recipes' 64-bit linear congruential generator: enough for a signal that never
    // repeats.
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let mut signal = Planar::zeros(2, frames);
    for channel in signal.channels_mut() {
        channel.fill_with(&mut next);
    }
    signal
}

/// Noise with everything in it that is no ordinary number, in its second sixth: `[2][frames]`.
#[must_use]
pub fn strange(frames: usize, seed: u64) -> Planar {
    const STRANGE: [f32; 7] = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e-40, // denormal
        -1e-45,
        f32::MAX, // whatever is added to it overflows
        f32::MIN,
    ];
    let mut signal = noise(frames, seed);
    for (index, value) in STRANGE.into_iter().enumerate() {
        let places = (frames / 6 + index..frames / 3).step_by(97 * STRANGE.len());
        for frame in places {
            signal.channel_mut(index % 2)[frame] = value;
        }
    }
    signal
}

/// Frames in which what comes back after silence may fade in: twice as long as the plugin takes.
pub const FADE_SECONDS: f64 = 0.02;

/// Whether the samples of a frame are the expected ones, all quieter by one factor.
#[must_use]
pub fn is_faded(got: &[f32], expected: &[f32]) -> bool {
    let power: f32 = expected.iter().map(|sample| sample * sample).sum();
    let gain = std::iter::zip(got, expected)
        .map(|(a, b)| a * b)
        .sum::<f32>()
        / power;
    let faded = |(got, expected): (&f32, &f32)| (got - gain * expected).abs() < 1e-5;
    (0.0..=1.0).contains(&gain) && std::iter::zip(got, expected).all(faded)
}

/// The signal `frames` later, cut to its old length.
#[must_use]
pub fn delayed(signal: &Planar, frames: usize) -> Planar {
    let mut late = Planar::zeros(signal.channel_count(), frames);
    late.append(signal);
    late.resize_frames(signal.frames());
    late
}

/// The signal times `gain`.
#[must_use]
pub fn scaled(signal: &Planar, gain: f32) -> Planar {
    let mut scaled = signal.clone();
    for channel in scaled.channels_mut() {
        channel.iter_mut().for_each(|sample| *sample *= gain);
    }
    scaled
}

/// The sum of signals of one shape. Panics if there are none.
#[must_use]
pub fn sum(signals: &[Planar]) -> Planar {
    let (first, rest) = signals.split_first().expect("signals to add");
    rest.iter().fold(first.clone(), |mut sum, signal| {
        sum.add(signal);
        sum
    })
}

/// The largest difference of two signals and where it is: `(difference, frame)`.
///
/// Samples that are not numbers count as infinitely far. Panics if the shapes differ.
#[must_use]
pub fn max_error(got: &Planar, expected: &Planar) -> (f32, usize) {
    assert_eq!(got.channel_count(), expected.channel_count(), "channels");
    assert_eq!(got.frames(), expected.frames(), "frames");
    let mut worst = (0.0, 0);
    for (got, expected) in got.channels().zip(expected.channels()) {
        for (frame, (&a, &b)) in got.iter().zip(expected).enumerate() {
            let error = (a - b).abs();
            let error = if error.is_nan() { f32::INFINITY } else { error };
            if error > worst.0 {
                worst = (error, frame);
            }
        }
    }
    worst
}

/// Panics with the place and the size of the difference if it exceeds `tolerance`.
pub fn assert_near(got: &Planar, expected: &Planar, tolerance: f32, what: &str) {
    let (error, frame) = max_error(got, expected);
    assert!(
        error <= tolerance,
        "{what}: off by {error:e} at frame {frame} of {}, got {:?}, expected {:?}",
        got.frames(),
        at(got, frame),
        at(expected, frame),
    );
}

/// The largest magnitude and its frame.
#[must_use]
pub fn peak(signal: &Planar) -> (f32, usize) {
    max_error(
        signal,
        &Planar::zeros(signal.channel_count(), signal.frames()),
    )
}

fn at(signal: &Planar, frame: usize) -> Vec<f32> {
    signal.channels().map(|channel| channel[frame]).collect()
}
