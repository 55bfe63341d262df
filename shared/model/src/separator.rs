//! Any network as a [`StemModel`].

mod causal;
mod windowed;

use std::sync::Arc;

use bunri_stream::{Mode, ModelSpec, Planar, SeparateError, StemModel};
use causal::CausalStream;
use tch::Tensor;
use windowed::WindowedStream;

use crate::shared_weights::SharedWeights;

/// Why a model cannot be streamed as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The overlap, or the chunk that follows from the model's window, is impossible.
    #[error(transparent)]
    Spec(#[from] bunri_stream::SpecError),
    /// A model with whole context was asked to go on from hop to hop.
    #[error(
        "this model needs whole context and cannot run live: choose a studio mode, or a causal model"
    )]
    NotCausal,
    /// Windows overlap too little: the network itself needs some context at each end.
    #[error(
        "the model needs {needed} frames of context at each end of its {chunk}-frame chunk, mode {mode} leaves {got}: choose a larger overlap, or more latency"
    )]
    Context {
        /// Frames that the network cuts off at each end.
        needed: usize,
        /// Frames that the plan leaves.
        got: usize,
        /// The chunk.
        chunk: usize,
        /// What was asked for.
        mode: Mode,
    },
}

/// One stream through a network whose weights any number of streams share.
///
/// Networks with whole context see overlapping windows; causal ones go on from hop to hop.
#[derive(Debug)]
pub struct Separator(Stream);

#[derive(Debug)]
enum Stream {
    Windowed(WindowedStream),
    Causal(CausalStream),
}

impl Separator {
    /// A stream in `mode`; causal networks have only one.
    ///
    /// # Errors
    /// [`StreamError`] if the network cannot work in this mode.
    pub fn new(weights: Arc<SharedWeights>, mode: Mode) -> Result<Self, StreamError> {
        Ok(Self(if weights.network().causal().is_some() {
            Stream::Causal(CausalStream::new(weights)?)
        } else {
            Stream::Windowed(WindowedStream::new(weights, mode)?)
        }))
    }
}

impl Separator {
    /// Whether the two streams' next chunks can go through the network together.
    pub(crate) fn can_share_a_batch(&self, other: &Self) -> bool {
        // Equal weights are of equal kind; the spec tells the windows' length.
        Arc::ptr_eq(self.weights(), other.weights())
            && self.spec().chunk_frames == other.spec().chunk_frames
    }

    fn weights(&self) -> &Arc<SharedWeights> {
        match &self.0 {
            Stream::Windowed(stream) => stream.weights(),
            Stream::Causal(stream) => stream.weights(),
        }
    }
}

/// Separates one chunk of each of several streams that
/// [can share a batch](Separator::can_share_a_batch).
///
/// # Errors
/// As [`StemModel::separate`], for all of them.
pub(crate) fn separate_together(
    parts: &mut [(&mut Separator, &Planar, &mut [Planar])],
) -> Result<(), SeparateError> {
    match parts {
        [] => Ok(()),
        // One alone gets the very bits of a single call.
        [(separator, chunk, stems)] => separator.separate(chunk, stems),
        _ => {
            for (separator, chunk, stems) in &*parts {
                separator.spec().check_shapes(chunk, stems)?;
            }
            let chunks: Vec<&Planar> = parts.iter().map(|(_, chunk, _)| *chunk).collect();
            let mut causal = Vec::new();
            let mut windowed = None;
            let mut stems = Vec::new();
            for (separator, _, out) in parts.iter_mut() {
                match &mut separator.0 {
                    Stream::Causal(stream) => causal.push(stream),
                    Stream::Windowed(stream) => windowed = Some(stream),
                }
                stems.push(&mut **out);
            }
            match windowed {
                Some(stream) => stream.run(&chunks, stems.into_iter()),
                None => causal::step_together(&mut causal, &chunks, stems),
            }
        }
    }
}

impl StemModel for Separator {
    fn spec(&self) -> &ModelSpec {
        match &self.0 {
            Stream::Windowed(stream) => stream.spec(),
            Stream::Causal(stream) => stream.spec(),
        }
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        match &mut self.0 {
            Stream::Windowed(stream) => stream.separate(chunk, stems),
            Stream::Causal(stream) => stream.separate(chunk, stems),
        }
    }

    fn separate_batch(
        &mut self,
        chunks: &[Planar],
        stems: &mut [Vec<Planar>],
    ) -> Result<(), SeparateError> {
        match &mut self.0 {
            Stream::Windowed(stream) => stream.separate_batch(chunks, stems),
            Stream::Causal(stream) => stream.separate_batch(chunks, stems),
        }
    }

    fn reset(&mut self) {
        match &mut self.0 {
            Stream::Windowed(stream) => stream.reset(),
            Stream::Causal(stream) => stream.reset(),
        }
    }
}

/// Chunks of one shape as a batch on the CPU: `[chunks, channels, frames]`.
fn tensor_of<'a>(chunks: impl Iterator<Item = &'a Planar>) -> Result<Tensor, tch::TchError> {
    let mut samples: Vec<f32> = Vec::new();
    let mut shape = [0, 1, 1];
    for chunk in chunks {
        shape = [
            shape[0] + 1,
            chunk.channel_count() as i64,
            chunk.frames() as i64,
        ];
        samples.extend(chunk.channels().flatten());
    }
    Tensor::from_slice(&samples).f_reshape(shape)
}
