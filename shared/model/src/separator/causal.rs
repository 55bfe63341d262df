//! Causal networks: hop after hop, each computed once.

use std::sync::Arc;

use bunri_stream::{ModelSpec, Planar, SeparateError, SpecError, StemModel};
use tch::{Kind, Tensor};

use super::tensor_of;
use crate::checkpoint::float_values;
use crate::network::CausalNetwork;
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
        let network = causal(&weights);
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

fn causal(weights: &SharedWeights) -> &dyn CausalNetwork {
    weights
        .network()
        .causal()
        .expect("only causal networks are streamed hop by hop")
}

impl StemModel for CausalStream {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        self.spec.check_shapes(chunk, stems)?;
        let network = causal(&self.weights);
        let state = &mut self.state;
        let separated = tch::no_grad(|| -> Result<Vec<f32>, tch::TchError> {
            let hop = if is_sound(chunk) {
                tensor_of(chunk)?
            } else {
                tensor_of(&Planar::zeros(chunk.channel_count(), chunk.frames()))?
            };
            let hop = hop.f_to_device(network.device())?;
            Ok(float_values(&network.step(state, &hop))) // [1, stems, channels, hop]
        })
        .map_err(|error| SeparateError::Model(error.to_string()))?;
        let channels = stems.iter_mut().flat_map(Planar::channels_mut);
        for (channel, samples) in channels.zip(separated.chunks_exact(self.spec.hop_frames)) {
            channel.copy_from_slice(samples);
        }
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
