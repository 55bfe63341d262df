//! A band-split network: complex masks on spectra, by recurrent layers over time and bands.
//!
//! After Luo and Yu, *Music Source Separation with Band-Split RNN* (2023), made fit for live playing:
//! norms look at one moment, and the spectra are those of a low-delay filter bank. All stems come
//! from one network. Its LSTMs over time hear
//! - [`TimeContext::Past`]: what has been. They carry their state from hop to hop.
//! - [`TimeContext::Whole`]: all of a window, forward and backward. Such a network can begin with the
//!   weights of one that hears the past ([`BandSplitConfig::grown_from`]).
//!
//! ```text
//! mix ─ ÷ running level ─ spectra ─┬─ bands ─ (time, bands) × blocks ─ masks ─┐
//!                                  └─ delay ────────────────────────────────── × ─ frames ─ × level
//! ```

mod bands;
mod blocks;
mod config;
mod growth;
mod parameters;
mod stft;

use tch::{Device, Tensor};

use bands::{Masks, Split};
use blocks::Block;
pub use config::{BandSplitConfig, TimeContext};
use stft::Stft;

use crate::causal::{Carry, Lstm, RunningLevel, silence, whole_clip};
use crate::network::{CausalNetwork, Network, NetworkConfig, Signature, Trainable, Window};
use crate::parameters::{ParameterError, Parameters, Scope, checked};

/// The network: mixture in, stems out. Holds weights and nothing that changes from call to call.
#[derive(Debug)]
pub struct BandSplit {
    config: BandSplitConfig,
    parameters: Parameters,
    level: Option<RunningLevel>,
    stft: Stft,
    split: Split,
    blocks: Vec<Block>,
    masks: Masks,
    device: Device,
}

impl BandSplit {
    /// A model from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn from_parameters(
        config: BandSplitConfig,
        parameters: Parameters,
        device: Device,
    ) -> Result<Self, ParameterError> {
        config.validate()?;
        let parameters = checked(config.parameter_specs(), parameters, device)?;
        let root = Scope::root(&parameters);
        let hop_seconds = config.hop_frames as f64 / f64::from(config.sample_rate);
        Ok(Self {
            level: config.normalize.then(|| {
                RunningLevel::new(config.hop_frames, config.level_memory_seconds / hop_seconds)
            }),
            stft: Stft::new(config.window_frames, config.hop_frames, device),
            split: Split::new(&root, &config, device),
            blocks: (0..config.blocks)
                .map(|block| Block::new(&root, block, config.hidden, config.context))
                .collect(),
            masks: Masks::new(&root, &config),
            config,
            parameters,
            device,
        })
    }

    /// Any number of hops: `[batch, channels, frames]` → `[batch, stems, channels, frames]`.
    fn run(&self, carry: &mut Carry, mix: &Tensor) -> Tensor {
        let (batch, channels, frames) = mix.size3().expect("audio has three axes");
        let level = self.level.map(|level| level.run(carry, mix)); // [batch, 1, frames]
        let spectra = match &level {
            Some(level) => self.stft.analyse(carry, &(mix / level)),
            None => self.stft.analyse(carry, mix),
        };
        let values = spectra.view_as_real().contiguous(); // [batch, spectra, bins, channels, 2]
        let (bins, moments) = (values.size()[2], values.size()[1]);
        let bands = self.split.forward(&values.reshape([batch * moments, -1]));
        let mut x = bands.unflatten(0, [batch, moments]); // [batch, spectra, bands, features]
        for block in &self.blocks {
            x = block.run(carry, &x);
        }
        let stems = self.config.stems.len() as i64;
        let masks = self
            .masks
            .forward(&x.flatten(0, 1)) // [batch * spectra, bins * channels * 2 * stems]
            .reshape([batch, moments, bins, stems, channels, 2])
            .view_as_complex(); // [batch, spectra, bins, stems, channels]
        let heard = carry.delayed(&values, 1).view_as_complex().unsqueeze(3); // [.., bins, 1, channels]
        let stems = (masks * heard).flatten(3, 4).transpose(2, 3); // [batch, spectra, stems * channels, bins]
        let mut x = self.stft.synthesise(carry, &stems).transpose(1, 2); // [batch, stems * channels, frames]
        if let Some(level) = &level {
            x = carry.delayed(level, 2) * x;
        }
        x.reshape([batch, -1, channels, frames])
    }
}

/// Shapes of what one stream carries, in the order in which [`BandSplit::run`] asks for it.
fn state_shapes(config: &BandSplitConfig) -> Vec<Vec<i64>> {
    let (window, hop) = (config.window_frames, config.hop_frames);
    let channels = config.audio_channels;
    let mut shapes = Vec::new();
    if config.normalize {
        shapes.push(RunningLevel::state_shape());
    }
    shapes.push(Stft::analysis_state_shape(window, hop, channels));
    let carrying = match config.context {
        TimeContext::Past => config.blocks,
        TimeContext::Whole => 0,
    };
    for _ in 0..carrying {
        shapes.extend(Lstm::state_shapes(config.band_bins.len(), 1, config.hidden));
    }
    let bins = window / 2 + 1;
    shapes.push(
        [config.lookahead_hops, bins, channels, 2]
            .map(|n| n as i64)
            .to_vec(),
    );
    shapes.push(Stft::synthesis_state_shape(
        hop,
        config.stems.len() * channels,
    ));
    if config.normalize {
        shapes.push(vec![1, config.lookahead_frames() as i64]);
    }
    shapes
}

impl Trainable for BandSplit {
    fn config(&self) -> NetworkConfig {
        NetworkConfig::BandSplit(self.config.clone())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Network for BandSplit {
    fn signature(&self) -> Signature {
        self.config.signature()
    }

    fn device(&self) -> Device {
        self.device
    }

    /// The segments that it is trained on.
    fn window(&self) -> Window {
        self.window_of(self.config.segment_frames)
    }

    fn window_of(&self, frames: usize) -> Window {
        Window::whole(frames)
    }

    fn forward(&self, mix: &Tensor) -> Tensor {
        whole_clip(self, mix)
    }

    fn causal(&self) -> Option<&dyn CausalNetwork> {
        match self.config.context {
            TimeContext::Past => Some(self),
            TimeContext::Whole => None,
        }
    }
}

/// With whole context, a clip is one step, and there is no next one: [`Network::causal`] says so.
impl CausalNetwork for BandSplit {
    fn hop_frames(&self) -> usize {
        self.config.hop_frames
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

    /// Guards the moment of the spectra that masks are applied to, and of the level: masks of one
    /// everywhere make every stem the mixture.
    #[test]
    fn masks_of_one_give_the_mixture() {
        for lookahead_hops in [0, 1, 3] {
            let config = BandSplitConfig {
                window_frames: 64,
                hop_frames: 16,
                lookahead_hops,
                band_bins: vec![2, 8, 23],
                features: 3,
                hidden: 4,
                blocks: 1,
                ..BandSplitConfig::default()
            };
            let parameters = untrained(&config.parameter_specs(), 0.0, 1);
            for (name, tensor) in &parameters {
                if name.starts_with("mask") {
                    let _ = tensor.shallow_clone().zero_();
                }
                if name.starts_with("mask") && name.ends_with("bias") && !name.contains("norm") {
                    // Real parts are every other value.
                    let _ = tensor.slice(2, 0, None, 2).fill_(1.0);
                }
            }
            let network = BandSplit::from_parameters(config, parameters, Device::Cpu).unwrap();
            let mix = Tensor::rand([2, 2, 150], (Kind::Float, Device::Cpu)) - 0.5;
            let output = network.forward(&mix);
            assert_eq!(output.size(), [2, 4, 2, 150]);
            let error = (output - mix.unsqueeze(1)).abs().max().double_value(&[]);
            assert!(error < 1e-5, "{lookahead_hops} hops ahead: {error}");
        }
    }
}
