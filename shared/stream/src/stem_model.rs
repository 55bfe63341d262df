//! What a separation model promises to whoever streams through it.

use std::time::Duration;

use crate::Planar;

/// The longest chunk, hop or lookahead that is believed: 25 minutes at 44.1 kHz.
pub(crate) const MAX_FRAMES: usize = 1 << 26;

/// How a model sees time, and what it makes: validated once by [`ModelSpec::validated`].
///
/// At the moment when `n` input frames have been collected (`n` a multiple of `hop_frames`), the
/// model is given the last `chunk_frames` of them (zeros before the beginning). Of its output,
/// the frames `n - lookahead - hop .. n - lookahead` become final:
///
/// ```text
///  |<------------------------ chunk ------------------------>| n
///  |  left context  | fade in |   hop - crossfade  | fade out | right context |
///                   |<-- hop: final now -->|<----- lookahead ---------------->|
/// ```
///
/// so `lookahead = crossfade + right context`, and a stream that passes through is delayed by
/// `hop + lookahead`. A causal model has `chunk == hop` and `crossfade == 0`; its output lies
/// `lookahead` frames behind its input.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Sample rate the model works at, in Hz.
    pub rate_hz: u32,
    /// Channels in and of every stem.
    pub channels: usize,
    /// Names of the stems in output order, e.g. `drums`, `bass`, `other`, `vocals`.
    pub stems: Vec<String>,
    /// Frames the model is shown at a time.
    pub chunk_frames: usize,
    /// Frames between the starts of two chunks.
    pub hop_frames: usize,
    /// Frames after the end of a hop that the model (and the cross-fade) must see first.
    pub lookahead_frames: usize,
    /// Frames over which consecutive chunks are faded into each other.
    pub crossfade_frames: usize,
}

/// Why a [`ModelSpec`] cannot work.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum SpecError {
    /// A count that must be positive is zero, or beyond any sensible bound.
    #[error("model spec: {field} is {got}, must be within 1..={max}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// Its value.
        got: usize,
        /// The largest accepted value.
        max: usize,
    },
    /// The hop, its cross-fade and the right context do not fit into the chunk.
    #[error(
        "model spec: hop {hop} + lookahead {lookahead} frames do not fit into a chunk of {chunk}"
    )]
    HopDoesNotFit {
        /// `hop_frames`.
        hop: usize,
        /// `lookahead_frames`.
        lookahead: usize,
        /// `chunk_frames`.
        chunk: usize,
    },
    /// The cross-fade is longer than the hop or than the lookahead.
    #[error(
        "model spec: a cross-fade of {crossfade} frames needs a hop and a lookahead at least as long"
    )]
    Crossfade {
        /// `crossfade_frames`.
        crossfade: usize,
    },
    /// A causal model (chunk equal to hop) has nothing to fade with.
    #[error("model spec: a causal model cannot cross-fade, but crossfade_frames is {crossfade}")]
    CausalCrossfade {
        /// `crossfade_frames`.
        crossfade: usize,
    },
    /// The fraction that consecutive chunks share is no such fraction.
    #[error("overlap is {got}, must be at least 0 and below 1, e.g. 0.25")]
    Overlap {
        /// The fraction asked for.
        got: f64,
    },
}

impl ModelSpec {
    /// Checks every field against the others.
    ///
    /// # Errors
    /// A [`SpecError`] naming the first field that cannot work.
    pub fn validated(self) -> Result<Self, SpecError> {
        let bounds = [
            ("rate_hz", self.rate_hz as usize, 1_000_000),
            ("channels", self.channels, 64),
            ("stems", self.stems.len(), 64),
            ("chunk_frames", self.chunk_frames, MAX_FRAMES),
            ("hop_frames", self.hop_frames, MAX_FRAMES),
        ];
        for (field, got, max) in bounds {
            if got == 0 || got > max {
                return Err(SpecError::OutOfRange { field, got, max });
            }
        }
        let ModelSpec {
            chunk_frames: chunk,
            hop_frames: hop,
            lookahead_frames: lookahead,
            ..
        } = self;
        if self.is_causal() && self.crossfade_frames > 0 {
            return Err(SpecError::CausalCrossfade {
                crossfade: self.crossfade_frames,
            });
        }
        if self.crossfade_frames > hop.min(lookahead) {
            return Err(SpecError::Crossfade {
                crossfade: self.crossfade_frames,
            });
        }
        if lookahead > MAX_FRAMES || (!self.is_causal() && hop + lookahead > chunk) || hop > chunk {
            return Err(SpecError::HopDoesNotFit {
                hop,
                lookahead,
                chunk,
            });
        }
        Ok(self)
    }

    /// Whether the model carries its own state from hop to hop instead of seeing whole windows.
    #[must_use]
    pub fn is_causal(&self) -> bool {
        self.chunk_frames == self.hop_frames
    }

    /// Delay of a stream through the model in frames at `rate_hz`: one hop to collect, plus the
    /// lookahead.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.hop_frames + self.lookahead_frames
    }

    /// What every [`StemModel::separate`] checks first: one chunk in, one chunk-sized block per
    /// stem out, all with the spec's channels.
    ///
    /// # Errors
    /// [`SeparateError`] with the first count that differs.
    pub fn check_shapes(&self, chunk: &Planar, stems: &[Planar]) -> Result<(), SeparateError> {
        let (expected, got) = (self.stems.len(), stems.len());
        if expected != got {
            return Err(SeparateError::Stems { expected, got });
        }
        for block in std::iter::once(chunk).chain(stems) {
            let (expected, got) = (self.channels, block.channel_count());
            if expected != got {
                return Err(SeparateError::Channels { expected, got });
            }
            let (expected, got) = (self.chunk_frames, block.frames());
            if expected != got {
                return Err(SeparateError::Shape { expected, got });
            }
        }
        Ok(())
    }
}

/// Why a chunk could not be separated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeparateError {
    /// The chunk, or a buffer for one of its stems, is longer or shorter than the spec says.
    #[error("expected {expected} frames of audio, got {got}")]
    Shape {
        /// Frames that the spec asks for.
        expected: usize,
        /// Frames that came.
        got: usize,
    },
    /// The audio, or a buffer for one of its stems, has more or fewer channels than the spec says.
    #[error("expected {expected} channels of audio, got {got}")]
    Channels {
        /// Channels that the spec asks for.
        expected: usize,
        /// Channels that came.
        got: usize,
    },
    /// There are more or fewer buffers for stems than the spec has names.
    #[error("expected buffers for {expected} stems, got {got}")]
    Stems {
        /// Stems that the spec names.
        expected: usize,
        /// Buffers that came.
        got: usize,
    },
    /// The model failed: out of memory, a lost device, a broken engine.
    #[error("the model failed: {0}")]
    Model(String),
}

/// A separation model, from whole chunks to whole chunks.
///
/// It knows nothing of hosts, rings or files. It may allocate and block: never call it on an audio
/// thread.
pub trait StemModel {
    /// Shapes and timing; constant over the model's life.
    fn spec(&self) -> &ModelSpec;

    /// Separates one chunk of `chunk_frames` into `stems`, one block of `chunk_frames` per stem,
    /// overwriting them.
    ///
    /// # Errors
    /// [`SeparateError`]; the stems' contents are then unspecified, and the stream may go on with
    /// the next chunk.
    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError>;

    /// Separates consecutive chunks of one stream, for whoever can wait for several: some models
    /// are faster so. `stems` has an entry per chunk.
    ///
    /// Samples may differ from those of single calls by what the order of sums makes of them.
    ///
    /// # Errors
    /// As [`separate`](Self::separate); the chunks fail together.
    fn separate_batch(
        &mut self,
        chunks: &[Planar],
        stems: &mut [Vec<Planar>],
    ) -> Result<(), SeparateError> {
        let mut pairs = chunks.iter().zip(stems);
        pairs.try_for_each(|(chunk, stems)| self.separate(chunk, stems))
    }

    /// How soon after it is given a chunk must be ready, for models that share a machine among live
    /// streams. Without a budget, as at first, nobody waits for the chunk more than for another,
    /// and its bits are the same whoever else is there.
    fn set_budget(&mut self, budget: Option<Duration>) {
        let _ = budget;
    }

    /// Forgets everything heard so far, not its budget: afterwards the model behaves like a new one.
    fn reset(&mut self);
}

impl<M: StemModel + ?Sized> StemModel for Box<M> {
    fn spec(&self) -> &ModelSpec {
        (**self).spec()
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        (**self).separate(chunk, stems)
    }

    fn separate_batch(
        &mut self,
        chunks: &[Planar],
        stems: &mut [Vec<Planar>],
    ) -> Result<(), SeparateError> {
        (**self).separate_batch(chunks, stems)
    }

    fn set_budget(&mut self, budget: Option<Duration>) {
        (**self).set_budget(budget);
    }

    fn reset(&mut self) {
        (**self).reset();
    }
}
