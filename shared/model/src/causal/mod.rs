//! What causal networks are made of: parts that carry what they have heard from hop to hop.
//!
//! Every part has one way to compute, over any number of positions, from a state to a state. A
//! whole clip is one long step from silence, so `forward` and `step` cannot drift apart.

mod carry;
mod level;
mod recurrent;

pub(crate) use carry::Carry;
pub(crate) use level::RunningLevel;
pub(crate) use recurrent::Lstm;

use tch::{Device, Kind, Tensor};

use crate::config_error::{ConfigError, in_range};
use crate::network::CausalNetwork;

/// Most values that one stream may carry: 256 MiB.
const MAX_STATE_VALUES: f64 = (1u64 << 26) as f64;

/// Refuses configs whose state no machine would want to hold.
pub(crate) fn check_state(shapes: &[Vec<i64>]) -> Result<(), ConfigError> {
    let values = |shape: &Vec<i64>| shape.iter().map(|&n| n as f64).product::<f64>();
    let sum = shapes.iter().map(values).sum();
    in_range("values carried from hop to hop", sum, 0.0, MAX_STATE_VALUES)
}

/// Zeros of the shapes of one stream, for `batch` streams.
pub(crate) fn silence(shapes: &[Vec<i64>], batch: i64, device: Device) -> Vec<Tensor> {
    let zeros = |shape: &Vec<i64>| {
        let shape: Vec<i64> = std::iter::once(batch)
            .chain(shape.iter().copied())
            .collect();
        Tensor::zeros(&shape[..], (Kind::Float, device))
    };
    shapes.iter().map(zeros).collect()
}

/// A clip as one long step from silence: `[batch, channels, frames]` →
/// `[batch, stems, channels, frames]`, without the delay that a stream has.
pub(crate) fn whole_clip(network: &dyn CausalNetwork, mix: &Tensor) -> Tensor {
    let (batch, _, frames) = mix.size3().expect("audio has three axes");
    let (hop, lookahead) = (
        network.hop_frames() as i64,
        network.lookahead_frames() as i64,
    );
    let padded = ((frames + lookahead + hop - 1) / hop).max(1) * hop;
    let mix = mix.constant_pad_nd([0, padded - frames]);
    let stems = network.step(&mut network.start(batch), &mix); // [batch, stems, channels, padded]
    stems.narrow(3, lookahead, frames)
}
