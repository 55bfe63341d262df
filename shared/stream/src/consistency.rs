//! Mixture consistency: stems that add up to what they were taken from.

use crate::Planar;

/// Makes the stems' sum equal to `mixture`, to within the rounding of `f32`, over the last
/// `mixture.frames()` frames of every stem.
///
/// What is missing (or too much) is shared equally among the stems: the correction that changes
/// the stems least in the sense of least squares when nothing is known about which of them is
/// wrong (Wisdom et al., 2019, "Differentiable consistency constraints", equal weights).
///
/// Panics if a stem has another number of channels than the mixture, or fewer frames.
pub fn share_residual(mixture: Planar, stems: &mut [Planar]) {
    let share = 1.0 / stems.len() as f32;
    let frames = mixture.frames();
    for (index, mut residual) in mixture.into_channels().into_iter().enumerate() {
        for stem in &*stems {
            let newest = &stem.channel(index)[stem.frames() - frames..];
            residual
                .iter_mut()
                .zip(newest)
                .for_each(|(rest, sample)| *rest -= sample);
        }
        residual.iter_mut().for_each(|rest| *rest *= share);
        for stem in &mut *stems {
            let start = stem.frames() - frames;
            let newest = &mut stem.channel_mut(index)[start..];
            newest
                .iter_mut()
                .zip(&residual)
                .for_each(|(sample, rest)| *sample += rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_frames_are_corrected_and_they_add_up() {
        let mono = |samples: &[f32]| Planar::from_channels(vec![samples.to_vec()]).unwrap();
        let mut stems = [mono(&[9.0, 0.5, 0.25]), mono(&[0.0, -0.5])];
        share_residual(mono(&[1.0, 0.75]), &mut stems);
        assert_eq!(stems, [mono(&[9.0, 0.75, 0.75]), mono(&[0.25, 0.0])]);
    }
}
