//! Equality with the reference package at the same weights; see [`crate::hybrid::golden`].

use std::collections::BTreeMap;

use super::DemucsV3Config;
use crate::golden::path;
use crate::hybrid::golden::assert_cases_equal_the_reference;

/// Guards each switch of the architecture: places and indices of residual branches, padding,
/// resampling, normalisation.
#[test]
fn whole_models_equal_the_reference() {
    assert_cases_equal_the_reference(&["demucs-v3", "demucs-v3-options", "demucs-v3-no-rewrite"]);
}

#[derive(serde::Deserialize)]
struct Lengths {
    config: DemucsV3Config,
    /// Frames asked for, and the valid length for them.
    rows: Vec<(usize, usize)>,
}

#[derive(serde::Deserialize)]
struct Numbers {
    lengths: BTreeMap<String, Lengths>,
}

/// Guards padding: one frame off, and stems slip against the mixture.
#[test]
fn valid_lengths_equal_the_reference() {
    let json = std::fs::read(path("demucs4/numbers.json")).unwrap();
    let lengths = serde_json::from_slice::<Numbers>(&json).unwrap().lengths;
    let mut compared = 0;
    for (name, Lengths { config, rows }) in lengths {
        for (frames, valid) in rows {
            assert_eq!(
                config.valid_length(frames),
                valid,
                "{name}: {frames} frames"
            );
            compared += 1;
        }
    }
    assert!(compared >= 39, "only {compared} lengths in the file");
}
