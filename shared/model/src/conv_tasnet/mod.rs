//! Conv-TasNet: masks over a learned transform of the waveform.
//!
//! Luo & Mesgarani, *Conv-TasNet: Surpassing Ideal Time–Frequency Magnitude Masking for Speech
//! Separation* (2019), with several audio channels as in Défossez et al., *Music Source Separation in
//! the Waveform Domain* (2019); reference implementation: PyPI `demucs==2.0.3`. Equal to it at the
//! same weights, which golden files prove.

mod config;
#[cfg(test)]
mod golden;
mod layers;
mod parameters;

use tch::{Device, Kind, Tensor};

pub use config::{ConvTasNetConfig, Mask, Norm};
use layers::{Block, Normalisation, conv1x1};

use crate::network::{Network, NetworkConfig, Signature, Trainable, Window};
use crate::parameters::{ParameterError, Parameters, Scope, checked};

/// The network: mixture in, stems out. Holds weights and nothing that changes from call to call.
#[derive(Debug)]
pub struct ConvTasNet {
    config: ConvTasNetConfig,
    parameters: Parameters,
    encoder: Tensor,
    norm: Normalisation,
    bottleneck: Tensor,
    blocks: Vec<Block>,
    masks: Tensor,
    /// `[audio channels * filter frames, filters]`. A view of it that was made before training asks for
    /// gradients would receive none, so its other shape is taken in `forward`.
    decoder: Tensor,
    device: Device,
}

impl ConvTasNet {
    /// A model from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn from_parameters(
        config: ConvTasNetConfig,
        parameters: Parameters,
        device: Device,
    ) -> Result<Self, ParameterError> {
        config.validate()?;
        let parameters = checked(config.parameter_specs(), parameters, device)?;
        let root = Scope::root(&parameters);
        let network = root.at("separator").at("network");
        let repeats = (0..config.repeats).map(|repeat| network.at(2).at(repeat));
        let blocks = repeats.flat_map(|repeat| {
            let config = &config;
            (0..config.blocks).map(move |block| Block::new(&repeat, config, block))
        });
        Ok(Self {
            encoder: root.at("encoder.conv1d_U").tensor("weight"),
            norm: Normalisation::new(&network.at(0), Norm::Channelwise),
            bottleneck: network.at(1).tensor("weight"),
            blocks: blocks.collect(),
            masks: network.at(3).tensor("weight"),
            decoder: root.at("decoder.basis_signals").tensor("weight"),
            config,
            parameters,
            device,
        })
    }
}

impl Trainable for ConvTasNet {
    fn config(&self) -> NetworkConfig {
        NetworkConfig::ConvTasNet(self.config.clone())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Network for ConvTasNet {
    fn signature(&self) -> Signature {
        self.config.signature()
    }

    fn device(&self) -> Device {
        self.device
    }

    /// The segments that it was trained on. Every frame that goes in comes out, but those near the
    /// ends are heard with half their surroundings: the published model looks 0.93 s to each side.
    fn window(&self) -> Window {
        self.window_of(self.config.segment_frames)
    }

    fn window_of(&self, frames: usize) -> Window {
        Window::whole(self.config.valid_length(frames))
    }

    /// The output is as long as the input. Use a
    /// [`valid_length`](ConvTasNetConfig::valid_length), or the last frames are silent.
    fn forward(&self, mix: &Tensor) -> Tensor {
        let (batch, channels, frames) = mix.size3().expect("audio has three axes");
        let stems = self.config.stems.len() as i64;
        let (stride, shortest) = (
            self.config.stride() as i64,
            self.config.filter_frames as i64,
        );
        // An input that is shorter than a filter has nothing to say; the filter must still fit.
        let audio = mix.constant_pad_nd([0, (shortest - frames).max(0)]);
        let coded = audio
            .conv1d(&self.encoder, None::<&Tensor>, [stride], [0], [1], 1)
            .relu(); // [batch, filters, positions]
        let mut x = conv1x1(&self.norm.forward(&coded), &self.bottleneck);
        for block in &self.blocks {
            x = block.forward(&x); // [batch, bottleneck, positions]
        }
        let (_, filters, positions) = coded.size3().expect("coded audio has three axes");
        let scores = conv1x1(&x, &self.masks).view([batch, stems, filters, positions]);
        let masks = match self.config.mask {
            Mask::Relu => scores.relu(),
            Mask::Softmax => scores.softmax(1, Kind::Float),
        };
        let masked = (coded.unsqueeze(1) * masks).view([batch * stems, filters, positions]);
        let basis = self.decoder.view([channels, shortest, filters]);
        let basis = basis.permute([2, 0, 1]); // [filters, channels, filter frames]
        // Overlap-add of every position's filters.
        let audio = masked.conv_transpose1d(&basis, None::<&Tensor>, [stride], [0], [0], 1, [1]); // [batch * stems, channels, at most frames]
        let missing = frames - audio.size()[2];
        audio
            .constant_pad_nd([0, missing])
            .view([batch, stems, channels, frames])
    }
}
