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
    /// Chunks of a full batch.
    batch_chunks: usize,
    /// Chunks that wait until the batch is full; their first `waiting` are of this stream. Grows
    /// with the first batch: a short recording takes no memory for chunks that it does not have.
    batch: Vec<Planar>,
    waiting: usize,
    /// `[batch][stems]` of `[channels][chunk_frames]`: what the model made of the newest chunks.
    batch_stems: Vec<Vec<Planar>>,
    pushed: u64,
    failed_chunks: u64,
}

impl<M: StemModel> StreamingSeparator<M> {
    /// Starts a stream through `model`, which should be new or reset.
    ///
    /// # Errors
    /// A [`SpecError`] if the model's spec contradicts itself.
    pub fn new(model: M) -> Result<Self, SpecError> {
        Self::batched(model, 1)
    }

    /// As [`new`](Self::new), with `chunks` (at least 1) shown to the model at a time: faster with
    /// some models, later by as many hops, and different in the last bits.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn batched(model: M, chunks: usize) -> Result<Self, SpecError> {
        let spec = model.spec().clone().validated()?;
        Ok(Self {
            chunker: Chunker::new(&spec),
            overlap_add: OverlapAdd::new(&spec),
            batch_chunks: chunks.max(1),
            batch_stems: Vec::new(),
            batch: Vec::new(),
            waiting: 0,
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
        let mut result = Ok(());
        let mut from = 0;
        while from < input.frames() {
            let (taken, chunk) = self.chunker.collect(input, from);
            from += taken;
            let Some(chunk) = chunk else { break };
            match self.batch.get_mut(self.waiting) {
                Some(place) => place.clone_from(chunk),
                None => self.batch.push(chunk.clone()),
            }
            self.waiting += 1;
            if self.waiting == self.batch_chunks {
                result = result.and(self.separate_waiting(stems)); // keeps the first error
            }
        }
        self.pushed += input.frames() as u64;
        result
    }

    /// Separates the chunks that wait, although they do not fill the batch, and appends a hop for each.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(crate) fn separate_waiting(&mut self, stems: &mut [Planar]) -> Result<(), SeparateError> {
        let waiting = std::mem::take(&mut self.waiting);
        if self.batch_stems.len() < waiting {
            let stem = Planar::zeros(self.spec.channels, self.spec.chunk_frames);
            let chunk = vec![stem; self.spec.stems.len()];
            self.batch_stems.resize(waiting, chunk);
        }
        let batch_stems = &mut self.batch_stems[..waiting];
        let result = match waiting {
            0 => Ok(()),
            // A batch of one gives the very bits of a single call, whatever the model.
            1 => self.model.separate(&self.batch[0], &mut batch_stems[0]),
            _ => (self.model).separate_batch(&self.batch[..waiting], batch_stems),
        };
        if result.is_err() {
            self.failed_chunks += waiting as u64;
        }
        for chunk in batch_stems {
            let chunk = result.is_ok().then_some(&**chunk);
            self.overlap_add.append_hop(chunk, stems);
        }
        result
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
        let unheard = collected + self.spec.lookahead_frames;
        let silence = unheard.next_multiple_of(hop) - collected;
        let missing = self.waiting * hop + unheard;
        let lengths: Vec<_> = stems.iter().map(|stem| stem.frames() + missing).collect();
        let result = self
            .push(&Planar::zeros(self.spec.channels, silence), stems)
            .and(self.separate_waiting(stems));
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
            batch_chunks: _,
            batch: _, // only what waits is read
            waiting,
            batch_stems: _, // overwritten by the model before they are read
            pushed,
            failed_chunks,
        } = self;
        model.reset();
        chunker.reset();
        overlap_add.reset();
        *waiting = 0;
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

    /// Ends the stream and gives the model back, to be reset before it is used again.
    #[must_use]
    pub fn into_model(self) -> M {
        self.model
    }

    /// How far the output's content lies behind the input's: the model's lookahead.
    #[must_use]
    pub fn delay_frames(&self) -> usize {
        self.spec.lookahead_frames
    }

    /// How many frames the output can be shorter than the input until a batch is complete: one hop
    /// for each of its chunks.
    #[must_use]
    pub fn collect_frames(&self) -> usize {
        self.spec.hop_frames * self.batch_chunks
    }

    /// Frames that come out when the chunks that wait are separated.
    pub(crate) fn waiting_frames(&self) -> usize {
        self.spec.hop_frames * self.waiting
    }

    /// The delay of someone who takes out a frame for every frame put in: collect and delay.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.collect_frames() + self.delay_frames()
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
