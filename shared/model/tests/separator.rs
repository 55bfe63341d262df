//! Demucs as a stream model: the contract that every `StemModel` keeps.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::sync::Arc;

use bunri_model::{DemucsConfig, NetworkConfig, Separator, SharedWeights, StreamError};
use bunri_stream::StemModel;
use bunri_stream::conformance::assert_stem_model;
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
        assert_stem_model(&mut Separator::new(weights, 0.75).unwrap());
    }
}

#[test]
fn streams_share_one_set_of_weights() {
    let weights = weights(small(false));
    let first = Separator::new(Arc::clone(&weights), 0.5).unwrap();
    let second = Separator::new(Arc::clone(&weights), 0.75).unwrap();
    assert_eq!(Arc::strong_count(&weights), 3);
    assert!(first.spec().hop_frames > second.spec().hop_frames);
}

/// Guards against frames that the network cannot know (it trims its borders) being faded in.
#[test]
fn an_overlap_without_room_for_the_networks_own_context_is_refused() {
    let weights = weights(small(false));
    let error = Separator::new(weights, 0.01).unwrap_err();
    assert!(matches!(error, StreamError::Context { .. }), "{error}");
}
