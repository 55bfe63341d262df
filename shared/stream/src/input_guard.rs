//! Bounds the samples that a separator is given, in the plugin and in files alike.
//!
//! A single NaN would live on in the state of a recurrent model until the next reset, and fill whole
//! windows of the others; so would a value that becomes infinite when it is squared.

/// The largest magnitude that passes unchanged: 60 dB above full scale.
pub const MAX_MAGNITUDE: f32 = 1000.0;

/// The sample itself where it is valid; silence in place of NaN; ±[`MAX_MAGNITUDE`] beyond that range.
///
/// Real-time safe: no locks, no allocation, no system calls.
#[must_use]
pub fn bounded(sample: f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else {
        sample.clamp(-MAX_MAGNITUDE, MAX_MAGNITUDE)
    }
}

/// Whether [`bounded`] leaves a sample as it is.
#[must_use]
pub fn is_valid(sample: f32) -> bool {
    sample.abs() <= MAX_MAGNITUDE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_passes_and_nothing_else_does() {
        for sample in [0.0, -0.0, 1.0, -3.5, MAX_MAGNITUDE, f32::MIN_POSITIVE / 2.0] {
            assert!(is_valid(sample));
            assert_eq!(bounded(sample).to_bits(), sample.to_bits());
        }
        let expected = [
            (f32::NAN, 0.0),
            (f32::INFINITY, MAX_MAGNITUDE),
            (f32::NEG_INFINITY, -MAX_MAGNITUDE),
            (3e38, MAX_MAGNITUDE),
        ];
        for (sample, replaced) in expected {
            assert!(!is_valid(sample));
            assert_eq!(bounded(sample), replaced);
        }
    }
}
