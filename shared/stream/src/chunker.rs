//! From blocks of any size to the overlapping chunks that a model is shown.

use crate::{ModelSpec, Planar};

/// Collects input frames and has a chunk ready after every hop: the last `chunk_frames` frames,
/// with silence before the beginning.
#[derive(Clone, Debug)]
pub struct Chunker {
    /// The newest frames lie at the end; the last hop is complete when `collected == hop`.
    chunk: Planar,
    hop: usize,
    collected: usize,
}

impl Chunker {
    /// A chunker for a model of this shape.
    #[must_use]
    pub fn new(spec: &ModelSpec) -> Self {
        Self {
            chunk: Planar::zeros(spec.channels, spec.chunk_frames),
            hop: spec.hop_frames,
            collected: 0,
        }
    }

    /// Takes as many frames as the current hop still lacks from `input`, from frame `from` on.
    /// Returns how many it took, and the chunk if the hop is now complete.
    ///
    /// Call again with the rest until all is taken. Panics if the channel counts differ.
    pub fn collect(&mut self, input: &Planar, from: usize) -> (usize, Option<&Planar>) {
        assert_eq!(input.channel_count(), self.chunk.channel_count());
        let chunk_frames = self.chunk.frames();
        if self.collected == self.hop {
            for channel in self.chunk.channels_mut() {
                channel.copy_within(self.hop.., 0);
            }
            self.collected = 0;
        }
        let taken = (self.hop - self.collected).min(input.frames() - from);
        let place = chunk_frames - self.hop + self.collected;
        for (channel, new) in self.chunk.channels_mut().zip(input.channels()) {
            channel[place..place + taken].copy_from_slice(&new[from..from + taken]);
        }
        self.collected += taken;
        (taken, (self.collected == self.hop).then_some(&self.chunk))
    }

    /// Forgets every frame: afterwards the chunker is like a new one.
    pub fn reset(&mut self) {
        let Self {
            chunk,
            hop: _,
            collected,
        } = self;
        for channel in chunk.channels_mut() {
            channel.fill(0.0);
        }
        *collected = 0;
    }
}
