//! How far an estimate's spectrum is from the true one, for the ear's sake: what phases do not show.

use bunri_stream::Planar;
use tch::{Device, Tensor};

use super::metrics::{active_windows, mean};
use crate::losses::{MultiResolutionStft, StftLossConfig};

/// The distance of an estimate that holds NaN or infinity: some fifty times that of silence.
pub const WORST_DISTANCE: f64 = 100.0;

/// Length of a piece whose spectra are compared, about what a training step hears.
const PIECE_SECONDS: u32 = 6;

/// Multi-resolution STFT distance: the trainer's loss of that name with its own windows (spectral
/// convergence plus log magnitudes, 0 and up), in pieces of six seconds, the mean of those in which
/// the reference is above `floor_dbfs`. `None` if there are none.
#[must_use]
pub fn stft_distance(
    reference: &Planar,
    estimate: &Planar,
    rate_hz: u32,
    floor_dbfs: f64,
) -> Option<f64> {
    let measure = MultiResolutionStft::new(&StftLossConfig::default().windows, Device::Cpu);
    let piece_frames = (PIECE_SECONDS * rate_hz) as usize;
    let pieces = active_windows(reference, piece_frames, floor_dbfs);
    mean(pieces.into_iter().map(|(start, end)| {
        let piece = |audio: &Planar| {
            let channels = audio.channels().map(|x| Tensor::from_slice(&x[start..end]));
            let channels = Tensor::stack(&channels.collect::<Vec<_>>(), 0);
            channels.unsqueeze(0).unsqueeze(0) // [1, 1, channels, frames]
        };
        let distance = tch::no_grad(|| measure.distance(&piece(estimate), &piece(reference)));
        distance.total().double_value(&[0, 0])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against silence that counts, and against a distance that grows with the song.
    #[test]
    fn only_what_sounds_has_a_distance() {
        let tone = |n: usize| (n as f32 * 0.05).sin() * 0.3;
        let song = |pieces: usize| {
            let channel: Vec<f32> = (0..6000 * pieces).map(tone).collect();
            Planar::from_channels(vec![channel.clone(), channel]).unwrap()
        };
        let silence = |pieces: usize| Planar::zeros(2, 6000 * pieces);
        let distance = |truth: &Planar, guess: &Planar| stft_distance(truth, guess, 1000, -60.0);
        let short = distance(&song(1), &silence(1)).unwrap();
        assert!(short > 1.0, "{short}");
        let mut sparse = song(1);
        sparse.append(&silence(2));
        let sparse = distance(&sparse, &silence(3)).unwrap();
        assert!((sparse - short).abs() < 1e-9, "{sparse} {short}");
        // Pieces of a tone begin at other phases: edges differ by that much.
        let long = distance(&song(3), &silence(3)).unwrap();
        assert!((long - short).abs() < 0.1, "{long} {short}");
        assert!(distance(&song(1), &song(1)).unwrap() < 1e-3);
        assert_eq!(distance(&silence(1), &song(1)), None);
    }
}
