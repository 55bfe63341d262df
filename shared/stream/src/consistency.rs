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
    let share = residual_share(mixture, stems);
    for stem in stems {
        for (index, share) in share.channels().enumerate() {
            let channel = stem.channel_mut(index);
            let start = channel.len() - share.len();
            channel[start..]
                .iter_mut()
                .zip(share)
                .for_each(|(sample, rest)| *sample += rest);
        }
    }
}

/// What [`share_residual`] adds to every stem: for whoever adds it later, or only in part.
///
/// Panics as that does.
#[must_use]
pub fn residual_share(mixture: Planar, stems: &[Planar]) -> Planar {
    let share = 1.0 / stems.len() as f32;
    let mut residual = mixture;
    let frames = residual.frames();
    for (index, residual) in residual.channels_mut().enumerate() {
        for stem in stems {
            let newest = &stem.channel(index)[stem.frames() - frames..];
            residual
                .iter_mut()
                .zip(newest)
                .for_each(|(rest, sample)| *rest -= sample);
        }
        residual.iter_mut().for_each(|rest| *rest *= share);
    }
    residual
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
