//! The contracts of `StreamingSeparator`, for any model shape and any cut into blocks.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod fakes;

use bunri_stream::conformance::assert_stem_model;
use bunri_stream::{OverlapAdd, Planar, SeparateError, StreamingSeparator};
use fakes::{Fake, STEMS, block_sizes, blocks, delayed, gain, noise, planned, spec, specs};
use proptest::prelude::*;

/// Guards the fakes themselves: proofs by a broken model prove nothing.
#[test]
fn the_fakes_are_stem_models() {
    for spec in [planned(200, 0.5), planned(64, 0.0), spec(50, 50, 70, 0)] {
        assert_stem_model(&mut Fake::new(spec));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Guards against slips, gaps, doubled frames and garbage from the contexts, all at once: the
    /// fakes return exactly their input where it counts.
    #[test]
    fn a_model_that_changes_nothing_delays_exactly_and_loses_nothing(
        spec in specs(), frames in 0..4000usize, sizes in block_sizes()
    ) {
        let mut separator = StreamingSeparator::new(Fake::new(spec.clone())).unwrap();
        let input = noise(frames);
        let mut stems = Vec::new();
        let mut pushed = 0;
        for block in blocks(&input, &sizes) {
            separator.push(&block, &mut stems).unwrap();
            pushed += block.frames();
            let hops = pushed / spec.hop_frames;
            prop_assert!(stems.iter().all(|stem| stem.frames() == hops * spec.hop_frames));
        }
        separator.flush(&mut stems).unwrap();
        prop_assert_eq!(separator.delay_frames(), spec.lookahead_frames);
        prop_assert_eq!(separator.latency_frames(), spec.lookahead_frames + spec.hop_frames);
        prop_assert_eq!(stems.len(), STEMS);
        for (k, stem) in stems.iter().enumerate() {
            let delay = separator.delay_frames();
            prop_assert_eq!(stem, &delayed(&input, delay, gain(k), frames + delay));
        }
    }

    /// Guards against hops that a batch loses, doubles or puts in another order, most of all the
    /// last ones, which do not fill it.
    #[test]
    fn batches_give_the_same_hops_later(
        spec in specs(), frames in 0..4000usize, sizes in block_sizes(), batch in 2..6usize
    ) {
        let mut single = StreamingSeparator::new(Fake::new(spec.clone())).unwrap();
        let mut batched = StreamingSeparator::batched(Fake::new(spec.clone()), batch).unwrap();
        let input = noise(frames);
        let (mut expected, mut stems) = (Vec::new(), Vec::new());
        let mut pushed = 0;
        for block in blocks(&input, &sizes) {
            single.push(&block, &mut expected).unwrap();
            batched.push(&block, &mut stems).unwrap();
            pushed += block.frames();
            let least = pushed.saturating_sub(batched.collect_frames());
            prop_assert!(stems.iter().all(|stem| stem.frames() >= least));
        }
        single.flush(&mut expected).unwrap();
        batched.flush(&mut stems).unwrap();
        prop_assert_eq!(stems, expected);
    }

    /// Guards against members that `reset` or `flush` forget.
    #[test]
    fn reset_and_flush_equal_new(
        spec in specs(), before in 1..2000usize, flush in any::<bool>()
    ) {
        let mut used = StreamingSeparator::new(Fake::new(spec.clone())).unwrap();
        let mut new = StreamingSeparator::new(Fake::new(spec)).unwrap();
        used.push(&noise(before), &mut Vec::new()).unwrap();
        if flush {
            used.flush(&mut Vec::new()).unwrap();
        } else {
            used.reset();
        }
        let (mut from_used, mut from_new) = (Vec::new(), Vec::new());
        used.push(&noise(1500), &mut from_used).unwrap();
        new.push(&noise(1500), &mut from_new).unwrap();
        used.flush(&mut from_used).unwrap();
        new.flush(&mut from_new).unwrap();
        prop_assert_eq!(from_used, from_new);
    }

    /// Guards against a hole or a bump wherever two chunks meet: `f32` sums of a fade-out and the
    /// next fade-in are one exactly, or its neighbour.
    #[test]
    fn windows_sum_to_one(spec in specs()) {
        let window = OverlapAdd::new(&spec).window();
        prop_assert_eq!(window.len(), spec.hop_frames + spec.crossfade_frames);
        for frame in 0..spec.hop_frames {
            let sum: f32 = window.iter().skip(frame).step_by(spec.hop_frames).sum();
            prop_assert!((sum - 1.0).abs() <= f32::EPSILON, "{} at {}", sum, frame);
        }
        prop_assert!(window.iter().all(|gain| (0.0..=1.0).contains(gain)));
    }

    /// Guards against a failed chunk shifting what follows it: its frames are silent, its
    /// neighbours' untouched, and the cross-fades lie between.
    #[test]
    fn a_failed_chunk_is_silence_in_its_place(spec in specs(), failing in 0..4usize) {
        let frames = spec.hop_frames * 6;
        let model = Fake::new(spec.clone()).failing_at(&[failing]);
        let mut separator = StreamingSeparator::new(model).unwrap();
        let input = noise(frames);
        let mut stems = Vec::new();
        let result = separator.push(&input, &mut stems);
        prop_assert!(matches!(result, Err(SeparateError::Model(_))));
        prop_assert_eq!(separator.failed_chunks(), 1);
        let healthy = delayed(&input, spec.lookahead_frames, 1.0, frames);
        let silent = spec.hop_frames * failing..spec.hop_frames * (failing + 1);
        let fades = spec.crossfade_frames;
        for (got, healthy) in stems[0].channels().zip(healthy.channels()) {
            prop_assert_eq!(got.len(), frames);
            for (frame, (got, healthy)) in got.iter().zip(healthy).enumerate() {
                let fading = [silent.start, silent.end].iter().any(|edge| (*edge..edge + fades).contains(&frame));
                if fading {
                    prop_assert!(got.abs() <= healthy.abs());
                } else if silent.contains(&frame) {
                    prop_assert_eq!(*got, 0.0);
                } else {
                    prop_assert_eq!(got, healthy);
                }
            }
        }
    }
}

/// Guards the promise that an error of shape happens before anything else does.
#[test]
fn wrong_shapes_change_nothing() {
    let mut separator = StreamingSeparator::new(Fake::new(planned(100, 0.5))).unwrap();
    let input = noise(500);
    let mut stems = Vec::new();
    separator.push(&input, &mut stems).unwrap();
    let before = stems.clone();
    let narrow = Planar::zeros(1, 300);
    let refused = separator.push(&narrow, &mut stems);
    assert!(matches!(
        refused,
        Err(SeparateError::Channels {
            expected: 2,
            got: 1
        })
    ));
    let refused = separator.push(&input, &mut vec![Planar::zeros(2, 0)]);
    assert!(matches!(
        refused,
        Err(SeparateError::Stems {
            expected: 3,
            got: 1
        })
    ));
    assert_eq!(stems, before);
    separator.flush(&mut stems).unwrap();
    let delay = separator.delay_frames();
    assert_eq!(stems[0], delayed(&input, delay, 1.0, 500 + delay));
}

/// Guards against believing a model whose numbers contradict each other.
#[test]
fn an_impossible_spec_is_refused() {
    assert!(StreamingSeparator::new(Fake::new(spec(100, 60, 50, 10))).is_err());
    assert!(StreamingSeparator::new(Fake::new(spec(100, 100, 50, 10))).is_err());
}
