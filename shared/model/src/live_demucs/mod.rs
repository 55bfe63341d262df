//! Live Demucs: a causal Demucs for music, hop after hop.
//!
//! After Défossez et al., *Real Time Speech Enhancement in the Waveform Domain* (2020) and the
//! streaming of PyPI `denoiser`: strided convolutions and GLUs down, a unidirectional LSTM, and
//! transposed convolutions up. Here stereo goes in, four stereo stems come out, and no sample is
//! computed twice:
//!
//! ```text
//! mix ─ ÷ running level ─ up? ─ encoder ──┬─ LSTM ─ + ─ decoder ─ down? ─ × the level then ─ stems
//!                                         └─ delay ─┘
//! ```
//!
//! - Encoder layers carry the end of what they heard, for the next window begins there.
//! - Decoder layers carry the tails of what they made, for the next positions add to them.
//! - A decoder layer lies behind its encoder layer (the tails have to come in first), so skips wait
//!   for it; so does the level, so that what is divided and what is multiplied is the same number.

mod config;
mod layers;
mod parameters;
mod resample;

use tch::{Device, Tensor};

pub use config::LiveDemucsConfig;
use layers::{DecoderLayer, EncoderLayer};
use resample::Resampler;

use crate::causal::{Carry, Lstm, RunningLevel, silence, whole_clip};
use crate::network::{CausalNetwork, Network, NetworkConfig, Signature, Trainable, Window};
use crate::parameters::{ParameterError, Parameters, Scope, checked};

/// The network: mixture in, stems out. Holds weights and nothing that changes from call to call.
#[derive(Debug)]
pub struct LiveDemucs {
    config: LiveDemucsConfig,
    parameters: Parameters,
    level: Option<RunningLevel>,
    resampler: Option<Resampler>,
    encoder: Vec<EncoderLayer>,
    lstm: Lstm,
    /// Outermost first, as the encoder.
    decoder: Vec<DecoderLayer>,
    device: Device,
}

impl LiveDemucs {
    /// A model from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn from_parameters(
        config: LiveDemucsConfig,
        parameters: Parameters,
        device: Device,
    ) -> Result<Self, ParameterError> {
        config.validate()?;
        let parameters = checked(config.parameter_specs(), parameters, device)?;
        let root = Scope::root(&parameters);
        let layers = 0..config.depth;
        let hop_seconds = config.hop_frames() as f64 / f64::from(config.sample_rate);
        Ok(Self {
            level: (config.normalize).then(|| {
                RunningLevel::new(
                    config.hop_frames(),
                    config.level_memory_seconds / hop_seconds,
                )
            }),
            resampler: (config.resample > 1)
                .then(|| Resampler::new(config.resample, config.delay_positions(0), device)),
            encoder: layers
                .clone()
                .map(|i| EncoderLayer::new(&root, &config, i))
                .collect(),
            lstm: Lstm::new(&root, "lstm", config.lstm_layers),
            decoder: layers
                .map(|i| DecoderLayer::new(&root, &config, i))
                .collect(),
            config,
            parameters,
            device,
        })
    }

    /// Any number of hops: `[batch, channels, frames]` → `[batch, stems, channels, frames]`.
    fn run(&self, carry: &mut Carry, mix: &Tensor) -> Tensor {
        let (batch, channels, frames) = mix.size3().expect("audio has three axes");
        let level = self.level.map(|level| level.run(carry, mix)); // [batch, 1, frames]
        let mut x = match &level {
            Some(level) => mix / level,
            None => mix.shallow_clone(),
        };
        if let Some(resampler) = &self.resampler {
            x = resampler.up(carry, &x);
        }
        x = x.transpose(1, 2); // [batch, frames inside, channels]
        let mut skips = Vec::with_capacity(self.encoder.len());
        for layer in &self.encoder {
            x = layer.run(carry, &x); // [batch, positions, width]
            skips.push(carry.delayed(&x, 1));
        }
        x = self.lstm.run(carry, &x);
        for (layer, skip) in self.decoder.iter().zip(skips).rev() {
            x = layer.run(carry, &(x + skip));
        }
        x = x.transpose(1, 2); // [batch, stems * channels, frames inside]
        if let Some(resampler) = &self.resampler {
            x = resampler.down(carry, &x);
        }
        if let Some(level) = &level {
            x = carry.delayed(level, 2) * x;
        }
        x.reshape([batch, -1, channels, frames])
    }
}

/// Shapes of what one stream carries, in the order in which [`LiveDemucs::run`] asks for it.
fn state_shapes(config: &LiveDemucsConfig) -> Vec<Vec<i64>> {
    let widths = config.layer_widths();
    let delay = config.delay_positions(0);
    let outputs = config.stems.len() * config.audio_channels;
    let mut shapes = Vec::new();
    if config.normalize {
        shapes.push(RunningLevel::state_shape());
    }
    if config.resample > 1 {
        shapes.push(Resampler::up_state_shape(config.audio_channels));
    }
    for (layer, &width) in widths.iter().enumerate() {
        let inputs = parameters::inputs_of(config, &widths, layer);
        shapes.push(EncoderLayer::state_shape(config, inputs));
        let delay = config.delay_positions(layer + 1);
        shapes.push(vec![delay as i64, width as i64]);
    }
    let deepest = widths.last().copied().unwrap_or(0);
    shapes.extend(Lstm::state_shapes(1, config.lstm_layers, deepest));
    for layer in (0..widths.len()).rev() {
        let outputs = match layer {
            0 => outputs,
            _ => widths[layer - 1],
        };
        shapes.extend(DecoderLayer::state_shapes(config, outputs));
    }
    if config.resample > 1 {
        shapes.push(Resampler::down_state_shape(config.resample, delay, outputs));
    }
    if config.normalize {
        shapes.push(vec![1, config.lookahead_frames() as i64]);
    }
    shapes
}

impl Trainable for LiveDemucs {
    fn config(&self) -> NetworkConfig {
        NetworkConfig::LiveDemucs(self.config.clone())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Network for LiveDemucs {
    fn signature(&self) -> Signature {
        self.config.signature()
    }

    fn device(&self) -> Device {
        self.device
    }

    /// The segments that it is trained on.
    fn window(&self) -> Window {
        Window::whole(self.config.segment_frames)
    }

    fn forward(&self, mix: &Tensor) -> Tensor {
        whole_clip(self, mix)
    }

    fn causal(&self) -> Option<&dyn CausalNetwork> {
        Some(self)
    }
}

impl CausalNetwork for LiveDemucs {
    fn hop_frames(&self) -> usize {
        self.config.hop_frames()
    }

    fn lookahead_frames(&self) -> usize {
        self.config.lookahead_frames()
    }

    fn start(&self, batch: i64) -> Vec<Tensor> {
        silence(&state_shapes(&self.config), batch, self.device)
    }

    fn step(&self, state: &mut Vec<Tensor>, hops: &Tensor) -> Tensor {
        let mut carry = Carry::new(state);
        let stems = self.run(&mut carry, hops);
        *state = carry.into_state();
        stems
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::parameters::untrained;

    /// Writes ones on the diagonal that starts at `row`, `column`.
    fn pass_on(matrix: &Tensor, row: i64, column: i64, count: i64) {
        let part = matrix.narrow(0, row, count).narrow(1, column, count);
        part.shallow_clone()
            .copy_(&Tensor::eye(count, (Kind::Float, Device::Cpu)));
    }

    /// Guards the moment of every skip, of the resamplers and of the level: weights that pass on
    /// what they hear (an encoder layer stacks `stride` positions into one, its decoder layer
    /// unstacks them) make every skip a copy of the input at its own delay, so the output is the
    /// input times `depth` if, and only if, all copies meet at the told moment.
    #[test]
    fn what_layers_pass_on_meets_at_the_told_moment() {
        let depth = 3;
        let mut worst = Vec::new();
        for (kernel_size, resample, lookahead_positions, normalize) in [
            (4, 1, 0, false),
            (5, 1, 2, true),
            (2, 1, 1, true),
            (4, 2, 1, true),
            (7, 4, 2, false),
        ] {
            let config = LiveDemucsConfig {
                stems: vec!["all".into()],
                hidden: 4, // stride * audio_channels
                depth,
                growth: 2.0,
                kernel_size,
                stride: 2,
                lstm_layers: 1,
                resample,
                lookahead_positions,
                normalize,
                ..LiveDemucsConfig::default()
            };
            let parameters = untrained(&config.parameter_specs(), 0.0, 1);
            for (name, tensor) in &parameters {
                let mut tensor = tensor.shallow_clone();
                let _ = tensor.zero_();
                let width = tensor.size().last().copied().unwrap_or(0);
                if name.ends_with("rewrite.weight") {
                    pass_on(&tensor, 0, 0, width);
                } else if name.ends_with("rewrite.bias") {
                    let _ = tensor.narrow(0, width / 2, width / 2).fill_(100.0); // GLU wide open
                } else if name.starts_with("encoder") && name.ends_with("strided.weight") {
                    pass_on(&tensor, 0, 0, tensor.size()[0]);
                } else if name.starts_with("decoder") && name.ends_with("strided.weight") {
                    pass_on(&tensor, 0, 0, width);
                }
            }
            let network = LiveDemucs::from_parameters(config, parameters, Device::Cpu).unwrap();
            // Slow and above zero, for the ReLUs and the resamplers.
            let time = Tensor::arange(600, (Kind::Float, Device::Cpu));
            let wave = (&time * 0.02).sin() * 0.3 + (time * 0.05).cos() * 0.2 + 0.6;
            let mix = wave.expand([1, 2, 600], false);
            let output = network.forward(&mix).squeeze_dim(1);
            // Resampled music rings where it sets in and ends.
            let edge = if resample > 1 { 40 } else { 0 };
            let inner = |x: &Tensor| x.narrow(2, edge, 600 - 2 * edge);
            let error = (inner(&output) - inner(&mix) * depth as f64)
                .abs()
                .max()
                .double_value(&[]);
            worst.push((kernel_size, resample, error));
        }
        for (kernel_size, resample, error) in worst {
            // One frame off would be 0.04; the resamplers' pass band is within 0.1 %.
            let tolerance = if resample > 1 { 6e-3 } else { 1e-5 };
            assert!(
                error < tolerance,
                "kernel {kernel_size}, x{resample}: {error}"
            );
        }
    }
}
