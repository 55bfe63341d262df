//! What needs no model: the figures between which a model's own have a meaning.

use bunri_stream::Planar;

use super::ideal_mask::ideal_ratio_mask;
use super::track::Track;

/// Key of the model's own scores in the report.
pub const MODEL: &str = "model";
/// Key of the untouched mixture as the estimate of every stem.
pub const MIXTURE: &str = "mixture";
/// Key of a quarter of the mixture as the estimate of every stem.
pub const QUARTER: &str = "quarter of mixture";
/// Key of the ideal ratio mask, see [`ideal_ratio_mask`].
pub const IDEAL: &str = "ideal ratio mask";

/// Key of stems that another program made.
pub const ESTIMATES: &str = "stems in files";

/// Everything that may stand in a report, in the order of its tables.
pub const SYSTEMS: [&str; 5] = [MODEL, ESTIMATES, MIXTURE, QUARTER, IDEAL];

/// Estimates of each of the track's stems, in their order, by system.
///
/// The ideal mask shares the mixture out among all stems that the song has; where the mixture is a
/// file of its own, what it holds beside them is one more source.
#[must_use]
pub fn baselines(track: &Track) -> [(&'static str, Vec<Planar>); 3] {
    let mut quarter = track.mixture.clone();
    for channel in quarter.channels_mut() {
        channel.iter_mut().for_each(|sample| *sample *= 0.25);
    }
    let rest = track.unlabelled();
    let sources: Vec<&Planar> = track
        .stems
        .iter()
        .map(|(_, stem)| stem)
        .chain(&rest)
        .collect();
    let mut ideal = ideal_ratio_mask(&track.mixture, &sources);
    let stems = track.stems.len();
    ideal.truncate(stems);
    [
        (MIXTURE, vec![track.mixture.clone(); stems]),
        (QUARTER, vec![quarter; stems]),
        (IDEAL, ideal),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(frames: usize, mut state: u32) -> Planar {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 / 65_536.0 - 0.5
        };
        let channels = (0..2)
            .map(|_| (0..frames).map(|_| next()).collect())
            .collect();
        Planar::from_channels(channels).unwrap()
    }

    #[test]
    fn what_no_stem_holds_does_not_go_to_the_stems() {
        let stem = noise(9000, 1);
        let mut mixture = stem.clone();
        mixture.add(&noise(9000, 2));
        let track = |mixture, own_mixture| Track {
            rate_hz: 44_100,
            mixture,
            stems: vec![("drums".to_owned(), stem.clone())],
            own_mixture,
        };
        let energy = |audio: &Planar| -> f32 {
            audio
                .channels()
                .flatten()
                .map(|sample| sample * sample)
                .sum()
        };
        let [_, _, (name, ideal)] = baselines(&track(mixture.clone(), true));
        assert_eq!((name, ideal.len()), (IDEAL, 1));
        assert!(
            energy(&ideal[0]) < 0.7 * energy(&mixture),
            "half of the mixture is unlabelled"
        );
        let [_, (_, quarter), (_, ideal)] = baselines(&track(stem.clone(), false));
        assert!((energy(&ideal[0]) / energy(&stem) - 1.0).abs() < 1e-3);
        assert!((energy(&quarter[0]) / energy(&stem) - 1.0 / 16.0).abs() < 1e-3);
    }
}
