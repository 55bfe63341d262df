//! Demucs as a [`StemModel`]: whole windows, their borders left to the overlap-add.

use std::sync::Arc;

use bunri_stream::{ChunkPlan, ModelSpec, Planar, SeparateError, StemModel};
use tch::{Kind, Tensor};

use crate::checkpoint::float_values;
use crate::demucs::{DemucsConfig, center_trim};
use crate::shared_weights::SharedWeights;

/// One stream through a [`Demucs`](crate::Demucs) whose weights any number of streams share.
#[derive(Debug)]
pub struct DemucsSeparator {
    weights: Arc<SharedWeights>,
    spec: ModelSpec,
}

/// Share of each chunk that overlaps the next one, where the user does not choose.
pub const DEFAULT_OVERLAP: f64 = 0.75;

/// Why a model cannot be streamed as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The overlap, or the chunk that follows from the model's segment, is impossible.
    #[error(transparent)]
    Spec(#[from] bunri_stream::SpecError),
    /// Windows overlap too little: the network itself needs some context at each end.
    #[error(
        "the model needs {needed} frames of context at each end of its {chunk}-frame chunk, an overlap of {overlap} leaves {got}: choose a larger overlap"
    )]
    Context {
        /// Frames that the network cuts off at each end.
        needed: usize,
        /// Frames that the plan leaves.
        got: usize,
        /// The chunk.
        chunk: usize,
        /// What was asked for.
        overlap: f64,
    },
}

impl DemucsSeparator {
    /// A stream with chunks about as long as the segments the model was trained on, overlapping
    /// by `overlap` (0 to 1) of their length.
    ///
    /// # Errors
    /// [`StreamError`] if the overlap is impossible.
    pub fn new(weights: Arc<SharedWeights>, overlap: f64) -> Result<Self, StreamError> {
        let spec = stream_spec(weights.model().config(), overlap)?;
        Ok(Self { weights, spec })
    }
}

fn stream_spec(config: &DemucsConfig, overlap: f64) -> Result<ModelSpec, StreamError> {
    let chunk = config.valid_length(config.segment_frames);
    let plan = ChunkPlan::new(chunk, overlap)?;
    let output = config.output_frames(chunk).min(chunk);
    let needed = (chunk - output).div_ceil(2);
    let got = plan.left_context_frames().min(plan.right_context_frames());
    if got < needed {
        return Err(StreamError::Context {
            needed,
            got,
            chunk,
            overlap,
        });
    }
    Ok(ModelSpec {
        rate_hz: config.sample_rate,
        channels: config.audio_channels,
        stems: config.stems.clone(),
        chunk_frames: plan.chunk_frames,
        hop_frames: plan.hop_frames,
        lookahead_frames: plan.lookahead_frames,
        crossfade_frames: plan.crossfade_frames,
    }
    .validated()?)
}

impl StemModel for DemucsSeparator {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        self.spec.check_shapes(chunk, stems)?;
        let model = self.weights.model();
        let frames = self.spec.chunk_frames;
        let separated = tch::no_grad(|| -> Result<Vec<f32>, tch::TchError> {
            let mix = Tensor::zeros(
                [1, self.spec.channels as i64, frames as i64],
                (Kind::Float, tch::Device::Cpu),
            );
            for (index, samples) in chunk.channels().enumerate() {
                mix.get(0)
                    .get(index as i64)
                    .f_copy_(&Tensor::from_slice(samples))?;
            }
            let output = model.forward(&mix.f_to_device(model.device())?); // [1, stems, channels, output]
            let kept = output.size()[3].min(frames as i64);
            Ok(float_values(&center_trim(&output, kept)))
        })
        .map_err(|error| SeparateError::Model(error.to_string()))?;
        let kept = separated.len() / (self.spec.stems.len() * self.spec.channels);
        let start = (frames - kept) / 2;
        let channels = stems.iter_mut().flat_map(Planar::channels_mut);
        for (channel, samples) in channels.zip(separated.chunks_exact(kept)) {
            channel.fill(0.0);
            channel[start..start + kept].copy_from_slice(samples);
        }
        Ok(())
    }

    fn reset(&mut self) {
        // Weights and spec only: nothing is carried from chunk to chunk.
        let Self {
            weights: _,
            spec: _,
        } = self;
    }
}
