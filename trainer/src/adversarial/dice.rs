//! Where every random choice of the module comes from.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a stream of numbers is for; each purpose has its own, so that one more draw of one of them
/// leaves the others as they were.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// First weights.
    Weights,
    /// Whether the discriminators learn in this step.
    Update,
    /// Crop and augmentation of what the discriminators learn from.
    Learn,
    /// Crop and augmentation of what the generator is judged by.
    Judge,
    /// Crop and augmentation of what overfitting is measured on.
    Measure,
}

/// The stream of one purpose, step and rank: nothing else decides what it draws, so a resumed run
/// draws what one that never stopped would have drawn.
pub(super) fn dice(seed: u64, purpose: Purpose, step: u64, rank: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    let words = [seed, purpose as u64, step, rank];
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
