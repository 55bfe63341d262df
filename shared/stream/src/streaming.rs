//! One endless stream through a model that sees chunks.

use crate::{Chunker, ModelSpec, OverlapAdd, Planar, SeparateError, SpecError, StemModel};

/// Streams audio at the model's own rate through a [`StemModel`]: blocks of any size in, hops out.
///
/// Whenever a hop is complete, as many frames of every stem come out. Frame `i` of that output is
/// the content of input frame `i -` [`delay_frames`](Self::delay_frames); content from before the
/// beginning is what the model makes of silence. How the input is cut into blocks changes no bit.
///
/// Not for audio threads: the model may allocate and block.
#[derive(Debug)]
pub struct StreamingSeparator<M> {
    model: M,
    spec: ModelSpec,
    chunker: Chunker,
    overlap_add: OverlapAdd,
    /// `[stems]` of `[channels][chunk_frames]`: what the model made of the newest chunk.
    chunk_stems: Vec<Planar>,
    pushed: u64,
    failed_chunks: u64,
}

impl<M: StemModel> StreamingSeparator<M> {
    /// Starts a stream through `model`, which should be new or reset.
    ///
    /// # Errors
    /// A [`SpecError`] if the model's spec contradicts itself.
    pub fn new(model: M) -> Result<Self, SpecError> {
        let spec = model.spec().clone().validated()?;
        Ok(Self {
            chunker: Chunker::new(&spec),
            overlap_add: OverlapAdd::new(&spec),
            chunk_stems: vec![Planar::zeros(spec.channels, spec.chunk_frames); spec.stems.len()],
            pushed: 0,
            failed_chunks: 0,
            model,
            spec,
        })
    }

    /// Takes `input` and appends every frame that became final to each of `stems` (which are
    /// created if there are none).
    ///
    /// # Errors
    /// [`SeparateError::Channels`] and [`SeparateError::Stems`] before anything has happened.
    /// After an error of the model the stream has still advanced over all of `input`, and as many
    /// frames as ever have come out: a chunk that failed counts as silence, faded from and to its
    /// neighbours. The first error is returned; [`failed_chunks`](Self::failed_chunks) counts all.
    pub fn push(&mut self, input: &Planar, stems: &mut Vec<Planar>) -> Result<(), SeparateError> {
        check_shapes(&self.spec, input, stems)?;
        let mut first_error = None;
        let mut from = 0;
        while from < input.frames() {
            let (taken, chunk) = self.chunker.collect(input, from);
            from += taken;
            let Some(chunk) = chunk else { break };
            match self.model.separate(chunk, &mut self.chunk_stems) {
                Ok(()) => self.overlap_add.append_hop(Some(&self.chunk_stems), stems),
                Err(error) => {
                    self.failed_chunks += 1;
                    first_error.get_or_insert(error);
                    self.overlap_add.append_hop(None, stems);
                }
            }
        }
        self.pushed += input.frames() as u64;
        first_error.map_or(Ok(()), Err)
    }

    /// Ends the stream as if silence followed, and appends what was still inside: in all,
    /// `delay_frames()` frames more than were pushed have then come out. Afterwards the separator
    /// is [`reset`](Self::reset).
    ///
    /// # Errors
    /// As [`push`](Self::push); the stream is then ended nevertheless.
    pub fn flush(&mut self, stems: &mut Vec<Planar>) -> Result<(), SeparateError> {
        check_shapes(&self.spec, &Planar::zeros(self.spec.channels, 0), stems)?;
        let hop = self.spec.hop_frames;
        let collected = (self.pushed % hop as u64) as usize;
        let missing = collected + self.spec.lookahead_frames;
        let silence = missing.next_multiple_of(hop) - collected;
        let lengths: Vec<_> = stems.iter().map(|stem| stem.frames() + missing).collect();
        let result = self.push(&Planar::zeros(self.spec.channels, silence), stems);
        for (stem, frames) in stems.iter_mut().zip(lengths) {
            stem.resize_frames(frames);
        }
        self.reset();
        result
    }

    /// Forgets the stream, not the model's weights: afterwards the separator is like a new one.
    pub fn reset(&mut self) {
        let Self {
            model,
            spec: _,
            chunker,
            overlap_add,
            chunk_stems: _, // overwritten by the model before it is read
            pushed,
            failed_chunks,
        } = self;
        model.reset();
        chunker.reset();
        overlap_add.reset();
        *pushed = 0;
        *failed_chunks = 0;
    }

    /// The model's spec.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &M {
        &self.model
    }

    /// How far the output's content lies behind the input's: the model's lookahead.
    #[must_use]
    pub fn delay_frames(&self) -> usize {
        self.spec.lookahead_frames
    }

    /// How many frames the output can be shorter than the input until a hop is complete: one hop.
    #[must_use]
    pub fn collect_frames(&self) -> usize {
        self.spec.hop_frames
    }

    /// The delay of someone who takes out a frame for every frame put in: collect and delay.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.spec.latency_frames()
    }

    /// Chunks since the beginning of the stream that the model failed to separate.
    #[must_use]
    pub fn failed_chunks(&self) -> u64 {
        self.failed_chunks
    }
}

/// Holds what a caller passes against the spec, and creates the stems if there are none.
pub(crate) fn check_shapes(
    spec: &ModelSpec,
    input: &Planar,
    stems: &mut Vec<Planar>,
) -> Result<(), SeparateError> {
    if stems.is_empty() {
        stems.resize(spec.stems.len(), Planar::zeros(spec.channels, 0));
    }
    if stems.len() != spec.stems.len() {
        return Err(SeparateError::Stems {
            expected: spec.stems.len(),
            got: stems.len(),
        });
    }
    let blocks = std::iter::once(input).chain(stems.iter());
    for got in blocks.map(Planar::channel_count) {
        if got != spec.channels {
            return Err(SeparateError::Channels {
                expected: spec.channels,
                got,
            });
        }
    }
    Ok(())
}
