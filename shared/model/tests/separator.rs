//! Demucs as a stream model: the contract that every `StemModel` keeps.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::sync::Arc;

use bunri_model::{DemucsConfig, NetworkConfig, Separator, SharedWeights, StreamError};
use bunri_stream::conformance::assert_stem_model;
use bunri_stream::{Mode, Planar, StemModel};
use tch::Device;

fn weights(config: DemucsConfig) -> Arc<SharedWeights> {
    Arc::new(SharedWeights::new(
        NetworkConfig::Demucs(config)
            .untrained(3, Device::Cpu)
            .unwrap(),
    ))
}

fn small(resample: bool) -> DemucsConfig {
    DemucsConfig {
        depth: 3,
        resample,
        segment_frames: 4000,
        ..DemucsConfig::v2(4)
    }
}

#[test]
fn both_versions_keep_the_stem_model_contract() {
    for resample in [false, true] {
        let weights = weights(small(resample));
        assert_stem_model(&mut Separator::new(weights, Mode::Overlap(0.75)).unwrap());
    }
}

/// Guards the order of chunks and stems within a batch.
#[test]
fn a_batch_of_chunks_equals_single_chunks() {
    let mut separator = Separator::new(weights(small(false)), Mode::Overlap(0.5)).unwrap();
    let spec = separator.spec().clone();
    let blank = Planar::zeros(spec.channels, spec.chunk_frames);
    let chunks: Vec<Planar> = (1..=3)
        .map(|pitch| {
            let mut chunk = blank.clone();
            for (frame, sample) in chunk.channel_mut(0).iter_mut().enumerate() {
                *sample = (frame as f32 * 0.01 * pitch as f32).sin();
            }
            chunk
        })
        .collect();
    let mut together = vec![vec![blank.clone(); spec.stems.len()]; chunks.len()];
    separator.separate_batch(&chunks, &mut together).unwrap();
    for (chunk, batched) in chunks.iter().zip(&together) {
        let mut alone = vec![blank.clone(); spec.stems.len()];
        separator.separate(chunk, &mut alone).unwrap();
        for (alone, batched) in alone.iter().zip(batched) {
            let pairs = alone.channels().flatten().zip(batched.channels().flatten());
            let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let peak = alone
                .channels()
                .flatten()
                .fold(0.0f32, |peak, x| peak.max(x.abs()));
            // Sums in another order, where one thread or several add; a wrong chunk would be off by the signal.
            assert!(error < 1e-5 * peak.max(1e-3), "{error} of {peak}");
        }
    }
}

#[test]
fn streams_share_one_set_of_weights() {
    let weights = weights(small(false));
    let first = Separator::new(Arc::clone(&weights), Mode::Overlap(0.5)).unwrap();
    let second = Separator::new(Arc::clone(&weights), Mode::Overlap(0.75)).unwrap();
    assert_eq!(Arc::strong_count(&weights), 3);
    assert!(first.spec().hop_frames > second.spec().hop_frames);
}

/// Guards against frames that the network cannot know (it trims its borders) being faded in.
#[test]
fn an_overlap_without_room_for_the_networks_own_context_is_refused() {
    let weights = weights(small(false));
    let error = Separator::new(weights, Mode::Overlap(0.01)).unwrap_err();
    assert!(matches!(error, StreamError::Context { .. }), "{error}");
}

/// Guards the latency that a host is told: of every offered mode, to the frame; and that a network
/// with whole context is never run as a causal one.
#[test]
fn studio_modes_keep_their_latency() {
    let weights = weights(small(true));
    for mode in Mode::offered() {
        let Mode::Studio { latency_ms } = mode else {
            let error = Separator::new(Arc::clone(&weights), mode).unwrap_err();
            assert!(error.to_string().contains("studio"), "{error}");
            continue;
        };
        let separator = Separator::new(Arc::clone(&weights), mode).unwrap();
        let spec = separator.spec();
        println!("{mode}: {spec:?}");
        let total = spec.latency_frames() + spec.hop_frames;
        assert_eq!(
            total as u64,
            u64::from(latency_ms) * u64::from(spec.rate_hz) / 1000
        );
    }
    let mode = Mode::Studio { latency_ms: 250 };
    assert_stem_model(&mut Separator::new(weights, mode).unwrap());
}
