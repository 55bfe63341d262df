//! The contracts of `HostSeparator` and `OfflineSeparator`, at any rate.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod fakes;

use bunri_stream::{
    HostOptions, HostSeparator, ModelSpec, OfflineSeparator, Planar, StreamingSeparator,
};
use fakes::{CHANNELS, Fake, block_sizes, blocks, delayed, gain, noise, planned, spec, specs};
use proptest::prelude::*;
use std::f64::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const PLAIN: HostOptions = options(false, 1);
const CONSISTENT: HostOptions = options(true, 1);

const fn options(consistency: bool, batch: usize) -> HostOptions {
    HostOptions { consistency, batch }
}

fn host_rates() -> impl Strategy<Value = u32> {
    // Everyday rates, the model's own, and one without a common divisor with it.
    prop_oneof![
        Just(44_100u32),
        Just(48_000),
        Just(88_200),
        Just(96_000),
        Just(32_000),
        Just(192_000),
        Just(47_999),
        Just(22_050)
    ]
}

fn run(separator: &mut HostSeparator<Fake>, input: &Planar, sizes: &[usize]) -> Vec<Planar> {
    let mut stems = Vec::new();
    for block in blocks(input, sizes) {
        separator.push(&block, &mut stems).unwrap();
    }
    separator.flush(&mut stems).unwrap();
    stems
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Guards against results that depend on the host's block size, and against the collect time
    /// being told too short: a host that trusts it would run dry.
    #[test]
    fn any_blocks_give_the_same_bits_and_in_time(
        spec in specs(), rate in host_rates(), frames in 0..4000usize,
        sizes in block_sizes(), consistency in any::<bool>(), batch in 1..4usize
    ) {
        let options = options(consistency, batch);
        let new = || HostSeparator::new(Fake::new(spec.clone()), rate, options).unwrap();
        let input = noise(frames);
        let whole = run(&mut new(), &input, &[frames.max(1)]);
        let mut separator = new();
        let (mut stems, mut pushed) = (Vec::new(), 0);
        for block in blocks(&input, &sizes) {
            separator.push(&block, &mut stems).unwrap();
            pushed += block.frames();
            let emitted = stems[0].frames();
            prop_assert!(emitted + separator.collect_frames() >= pushed);
            prop_assert!(emitted <= pushed + separator.delay_frames());
        }
        separator.flush(&mut stems).unwrap();
        prop_assert_eq!(&stems, &whole);
        prop_assert_eq!(stems[0].frames(), frames + separator.delay_frames());
        let latency = separator.collect_frames() + separator.delay_frames();
        prop_assert_eq!(separator.latency_frames(), latency);
        // The flush has reset everything, or the same input would give something else now.
        prop_assert_eq!(run(&mut separator, &input, &sizes), whole);
    }

    /// Guards against a converter or a dry path left out of `reset`.
    #[test]
    fn reset_equals_new(spec in specs(), rate in host_rates(), before in 1..2000usize) {
        let new = || HostSeparator::new(Fake::new(spec.clone()), rate, CONSISTENT).unwrap();
        let mut used = new();
        used.push(&noise(before), &mut Vec::new()).unwrap();
        used.reset();
        let input = noise(1000);
        prop_assert_eq!(run(&mut used, &input, &[77]), run(&mut new(), &input, &[77]));
    }

    /// Guards the promise that nothing is touched at the model's own rate.
    #[test]
    fn at_the_models_rate_the_models_output_comes_out_bit_by_bit(
        spec in specs(), frames in 0..2000usize
    ) {
        let input = noise(frames);
        let mut host = HostSeparator::new(Fake::new(spec.clone()), 44_100, PLAIN).unwrap();
        let mut plain = StreamingSeparator::new(Fake::new(spec)).unwrap();
        let mut stems = Vec::new();
        plain.push(&input, &mut stems).unwrap();
        plain.flush(&mut stems).unwrap();
        prop_assert_eq!(run(&mut host, &input, &[100]), stems);
        prop_assert_eq!(host.latency_frames(), plain.latency_frames());
    }

    /// Guards the null test that users make: stems that do not add up to the original.
    #[test]
    fn stems_add_up_to_the_delayed_input(
        spec in specs(), rate in host_rates(), failing in 0..3usize
    ) {
        let model = Fake::new(spec).failing_at(&[failing]);
        let mut separator = HostSeparator::new(model, rate, CONSISTENT).unwrap();
        let input = noise(3000);
        let mut stems = Vec::new();
        // A failure of the model is no excuse.
        let _ = separator.push(&input, &mut stems);
        let _ = separator.flush(&mut stems);
        let wanted = delayed(&input, separator.delay_frames(), 1.0, stems[0].frames());
        let mut sum = stems[0].clone();
        stems[1..].iter().for_each(|stem| sum.add(stem));
        for (sum, wanted) in sum.channels().flatten().zip(wanted.channels().flatten()) {
            // Garbage-sized residuals cost some digits: the fakes sum to 1.75 times the input.
            prop_assert!((sum - wanted).abs() < 1e-6, "{} {}", sum, wanted);
        }
    }

    /// Guards against stems that are corrected late, in the plugin, and differ from the bounced ones
    /// in their last bits.
    #[test]
    fn what_is_pushed_apart_adds_up_to_what_is_pushed(
        spec in specs(), rate in host_rates(), sizes in block_sizes(), failing in 0..3usize
    ) {
        let new = || {
            let model = Fake::new(spec.clone()).failing_at(&[failing]);
            HostSeparator::new(model, rate, CONSISTENT).unwrap()
        };
        let (mut whole, mut apart) = (new(), new());
        let (mut stems, mut raw, mut residual) = (Vec::new(), Vec::new(), Planar::zeros(CHANNELS, 0));
        for block in blocks(&noise(3000), &sizes) {
            stems.iter_mut().for_each(|stem: &mut Planar| stem.resize_frames(0));
            raw.iter_mut().for_each(|stem: &mut Planar| stem.resize_frames(0));
            let result = whole.push(&block, &mut stems);
            let apart_result = apart.push_apart(&block, &mut raw, &mut residual);
            prop_assert_eq!(result.is_ok(), apart_result.is_ok());
            raw.iter_mut().for_each(|stem| stem.add(&residual));
            prop_assert_eq!(&stems, &raw);
        }
    }

    /// Guards short files against the work of a whole batch: 256 chunks for a file of five.
    #[test]
    fn a_large_batch_separates_no_more_chunks_than_there_are(
        spec in specs(), rate in host_rates(), frames in 0..4000usize, batch in 2..300usize
    ) {
        let input = noise(frames);
        let separated = |batch| {
            let model = Fake::new(spec.clone());
            let count = Arc::clone(&model.separated);
            let mut separator = HostSeparator::new(model, rate, options(true, batch)).unwrap();
            let stems = run(&mut separator, &input, &[512]);
            (stems, count.load(Ordering::Relaxed))
        };
        let (stems, chunks) = separated(1);
        prop_assert_eq!(&separated(batch), &(stems, chunks));
        if rate == spec.rate_hz {
            prop_assert_eq!(chunks, (frames + spec.lookahead_frames).div_ceil(spec.hop_frames));
        }
    }

    /// Guards against bounced stems that are late, early, short or long.
    #[test]
    fn offline_stems_lie_exactly_over_their_input(
        spec in specs(), frames in 0..3000usize, sizes in block_sizes(), batch in 1..4usize
    ) {
        let options = options(false, batch);
        let mut offline = OfflineSeparator::new(Fake::new(spec), 44_100, options).unwrap();
        let input = noise(frames);
        for _recording in 0..2 {
            let mut stems = Vec::new();
            for block in blocks(&input, &sizes) {
                offline.push(&block, &mut stems).unwrap();
            }
            offline.finish(&mut stems).unwrap();
            for (k, stem) in stems.iter().enumerate() {
                prop_assert_eq!(stem, &delayed(&input, 0, gain(k), frames));
            }
        }
    }
}

/// A sine of an inharmonic frequency, well inside the band of both rates.
fn sine(rate: u32, frames: usize, late_by: f64) -> Planar {
    let sample = |frame: usize| {
        (TAU * 1234.5 * (frame as f64 - late_by) / f64::from(rate)).sin() as f32 * 0.5
    };
    let channel: Vec<_> = (0..frames).map(sample).collect();
    Planar::from_channels(vec![channel; CHANNELS]).unwrap()
}

/// Guards against a fraction of a frame lost between two rates, by the phase of a sine: a hundredth
/// of a frame of delay would already be an error of -54 dB here.
#[test]
fn the_delay_is_a_whole_number_of_host_frames_at_every_rate() {
    let models = [
        planned(441, 0.5),
        planned(1000, 0.25),
        spec(256, 256, 601, 0),
        spec(1, 1, 0, 0),
    ];
    for rate in [
        44_100, 48_000, 88_200, 96_000, 176_400, 192_000, 32_000, 22_050, 47_999, 44_101,
    ] {
        for spec in &models {
            let spec: ModelSpec = spec.clone();
            let mut separator = HostSeparator::new(Fake::new(spec), rate, PLAIN).unwrap();
            let frames = 8192;
            let stems = run(&mut separator, &sine(rate, frames, 0.0), &[512]);
            let delay = separator.delay_frames();
            let wanted = sine(rate, frames + delay, delay as f64);
            // Away from where the sine begins and ends, which is no sine.
            let inside = delay + 1500..frames + delay - 1500;
            let error = inside
                .map(|frame| (stems[0].channel(1)[frame] - wanted.channel(1)[frame]).abs())
                .fold(0.0, f32::max);
            assert!(error < 2e-5, "{rate} Hz, delay {delay}: error {error}");
        }
    }
}

/// Guards the live mode's latency: what two conversions cost between 44.1 and 48 kHz.
#[test]
fn conversion_costs_less_than_four_milliseconds() {
    let model = || Fake::new(spec(256, 256, 600, 0));
    let own = HostSeparator::new(model(), 44_100, PLAIN).unwrap();
    let other = HostSeparator::new(model(), 48_000, PLAIN).unwrap();
    let own_ms = own.latency_frames() as f64 / 44.1;
    let other_ms = other.latency_frames() as f64 / 48.0;
    assert!(other_ms - own_ms < 4.0, "{own_ms} ms, {other_ms} ms");
}
