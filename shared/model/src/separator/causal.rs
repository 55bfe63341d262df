//! Causal networks: hop after hop, each computed once.

use std::sync::Arc;

use bunri_stream::{ModelSpec, Planar, SeparateError, SpecError, StemModel};
use tch::{Kind, Tensor};

use super::tensor_of;
use crate::checkpoint::float_values;
use crate::network::{CausalNetwork, Network};
use crate::shared_weights::SharedWeights;

/// Carries what the network has heard.
#[derive(Debug)]
pub(super) struct CausalStream {
    weights: Arc<SharedWeights>,
    spec: ModelSpec,
    /// The state before the first hop; steps write to no state.
    start: Vec<Tensor>,
    state: Vec<Tensor>,
}

impl CausalStream {
    /// Takes a first step, and forgets it: libraries choose and prepare their kernels in the first
    /// one, which must not be late in a live stream.
    ///
    /// # Panics
    /// If the network is not causal.
    pub(super) fn new(weights: Arc<SharedWeights>) -> Result<Self, SpecError> {
        let network = causal(weights.network());
        let signature = network.signature();
        let spec = ModelSpec {
            rate_hz: signature.rate_hz,
            channels: signature.channels,
            stems: signature.stems,
            chunk_frames: network.hop_frames(),
            hop_frames: network.hop_frames(),
            lookahead_frames: network.lookahead_frames(),
            crossfade_frames: 0,
        }
        .validated()?;
        let state = tch::no_grad(|| {
            let start = network.start(1);
            let options = (Kind::Float, network.device());
            let shape = [1, spec.channels as i64, spec.hop_frames as i64];
            let _ = network.step(&mut copies(&start), &Tensor::zeros(shape, options));
            start
        });
        Ok(Self {
            weights,
            spec,
            start: copies(&state),
            state,
        })
    }
}

/// Whether a network can hear this. What is not finite, or beyond +120 dBFS, would stay in its state
/// and be heard in all that follows: such a hop counts as silence.
fn is_sound(chunk: &Planar) -> bool {
    let mut samples = chunk.channels().flatten();
    samples.all(|sample| sample.abs() <= 1e6)
}

/// The same tensors again.
fn copies(state: &[Tensor]) -> Vec<Tensor> {
    state.iter().map(Tensor::shallow_clone).collect()
}

fn causal(network: &dyn Network) -> &dyn CausalNetwork {
    network
        .causal()
        .expect("only causal networks are streamed hop by hop")
}

impl CausalStream {
    /// The weights that it shares.
    pub(super) fn weights(&self) -> &Arc<SharedWeights> {
        &self.weights
    }
}

/// One step of several streams that share their weights, each with a state of its own; the shapes
/// are checked.
pub(super) fn step_together(
    streams: &mut [&mut CausalStream],
    chunks: &[&Planar],
    stems: Vec<&mut [Planar]>,
) -> Result<(), SeparateError> {
    let Some(first) = streams.first() else {
        return Ok(());
    };
    let weights = Arc::clone(&first.weights);
    let mut state: Vec<Tensor> = (0..first.state.len())
        .map(|part| {
            let parts: Vec<&Tensor> = streams.iter().map(|stream| &stream.state[part]).collect();
            Tensor::cat(&parts, 0)
        })
        .collect();
    let samples = step(&weights, &mut state, chunks)?;
    for (index, stream) in streams.iter_mut().enumerate() {
        let own = |part: &Tensor| part.narrow(0, index as i64, 1).copy();
        stream.state = state.iter().map(own).collect();
    }
    fill(
        stems.into_iter(),
        &samples,
        causal(weights.network()).hop_frames(),
    );
    Ok(())
}

/// Takes `state` one hop further; gives the samples of `[batch, stems, channels, hop]`.
///
/// A state that lies on another device than the network (which has fallen back to the CPU) begins
/// anew.
fn step(
    weights: &SharedWeights,
    state: &mut Vec<Tensor>,
    chunks: &[&Planar],
) -> Result<Vec<f32>, SeparateError> {
    let silence = chunks
        .first()
        .map(|chunk| Planar::zeros(chunk.channel_count(), chunk.frames()));
    let heard = chunks.iter().zip(silence.iter().cycle());
    let heard = heard.map(|(chunk, silence)| if is_sound(chunk) { *chunk } else { silence });
    let hops = tensor_of(heard).map_err(|error| SeparateError::Model(error.to_string()))?;
    weights.run(|network| {
        let network = causal(network);
        let device = network.device();
        if state.iter().any(|part| part.device() != device) {
            *state = network.start(chunks.len() as i64);
        }
        let hops = hops.f_to_device(device)?;
        Ok(float_values(&network.step(state, &hops)))
    })
}

fn fill<'a>(stems: impl Iterator<Item = &'a mut [Planar]>, samples: &[f32], hop_frames: usize) {
    let channels = stems.flatten().flat_map(Planar::channels_mut);
    for (channel, samples) in channels.zip(samples.chunks_exact(hop_frames)) {
        channel.copy_from_slice(samples);
    }
}

impl StemModel for CausalStream {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        self.spec.check_shapes(chunk, stems)?;
        let samples = step(&self.weights, &mut self.state, &[chunk])?;
        fill(std::iter::once(stems), &samples, self.spec.hop_frames);
        Ok(())
    }

    fn reset(&mut self) {
        let Self {
            weights: _,
            spec: _,
            start,
            state,
        } = self;
        *state = copies(start);
    }
}
