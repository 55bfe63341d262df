//! A whole recording through a model, piece by piece, with nothing to compensate afterwards.

use crate::{HostError, HostOptions, HostSeparator, ModelSpec, Planar, SeparateError, StemModel};

/// Separates a recording of any length in bounded memory: stems come out a little later than their
/// input goes in, but their frame `i` is the content of input frame `i`, and after
/// [`finish`](Self::finish) they are exactly as long as the input.
///
/// It is a [`HostSeparator`] whose first [`delay_frames`](HostSeparator::delay_frames) frames are
/// dropped, so what a plugin plays from the same input is, bit by bit, the same.
#[derive(Debug)]
pub struct OfflineSeparator<M> {
    separator: HostSeparator<M>,
    to_drop: usize,
}

impl<M: StemModel> OfflineSeparator<M> {
    /// Starts a recording at `rate_hz` through `model`, which should be new or reset.
    ///
    /// # Errors
    /// As [`HostSeparator::new`].
    pub fn new(model: M, rate_hz: u32, options: HostOptions) -> Result<Self, HostError> {
        let separator = HostSeparator::new(model, rate_hz, options)?;
        let to_drop = separator.delay_frames();
        Ok(Self { separator, to_drop })
    }

    /// Takes the recording's next frames and appends what became known to each of `stems` (which
    /// are created if there are none).
    ///
    /// # Errors
    /// As [`HostSeparator::push`].
    pub fn push(&mut self, input: &Planar, stems: &mut Vec<Planar>) -> Result<(), SeparateError> {
        self.without_delay(stems, |separator, stems| separator.push(input, stems))
    }

    /// Ends the recording and appends what was still inside. Afterwards a new one can begin.
    ///
    /// # Errors
    /// As [`HostSeparator::flush`].
    pub fn finish(&mut self, stems: &mut Vec<Planar>) -> Result<(), SeparateError> {
        let result = self.without_delay(stems, HostSeparator::flush);
        self.to_drop = self.separator.delay_frames();
        result
    }

    /// The model's spec.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        self.separator.spec()
    }

    /// Frames that go in before the first come out, at the recording's rate.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.separator.latency_frames()
    }

    fn without_delay(
        &mut self,
        stems: &mut Vec<Planar>,
        work: impl FnOnce(&mut HostSeparator<M>, &mut Vec<Planar>) -> Result<(), SeparateError>,
    ) -> Result<(), SeparateError> {
        let old_frames = stems.first().map_or(0, Planar::frames);
        let result = work(&mut self.separator, stems);
        let new_frames = stems.first().map_or(0, Planar::frames) - old_frames;
        let dropped = self.to_drop.min(new_frames);
        if dropped > 0 {
            for stem in stems.iter_mut() {
                let start = stem.frames() - new_frames;
                stem.remove_frames(start, dropped);
            }
            self.to_drop -= dropped;
        }
        result
    }
}
