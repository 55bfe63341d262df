//! What one training example is.

use bunri_stream::Planar;

/// Stems that sound together, and what they sound like together.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// One block per stem of the model, `[stems][channels][frames]`; silence where a stem is not
    /// usable.
    pub stems: Vec<Planar>,
    /// What a model hears, `[channels][frames]`: the sum of the stems and, in a partly labelled
    /// song, of the rest of it.
    pub mixture: Planar,
    /// Whether each stem is known. Nothing may be learnt from one that is not: it is no silence,
    /// its sound is in the mixture.
    pub usable: Vec<bool>,
}

impl Example {
    /// Puts the parts of a mixture together: the stems that are known, and the `rest` of the song
    /// where there is any. All blocks are of one shape.
    pub(super) fn new(stems: Vec<Option<Planar>>, rest: Option<&Planar>, frames: usize) -> Self {
        let mut mixture = Planar::zeros(2, frames);
        for part in stems.iter().flatten().chain(rest) {
            mixture.add(part);
        }
        let usable = stems.iter().map(Option::is_some).collect();
        let silent = || Planar::zeros(2, frames);
        let stems = stems.into_iter().map(|s| s.unwrap_or_else(silent));
        Self {
            stems: stems.collect(),
            mixture,
            usable,
        }
    }
}
