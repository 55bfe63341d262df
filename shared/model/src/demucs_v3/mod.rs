//! The time-domain Demucs of the v3 and v4 releases: a U-Net over the waveform whose layers have
//! residual branches with attention and LSTMs.
//!
//! Défossez, *Hybrid Spectrogram and Waveform Source Separation* (2021); reference implementation:
//! `demucs.demucs.Demucs` of PyPI `demucs==4.1.0`. Equal to it at the same weights, which golden
//! files prove.

mod config;
#[cfg(test)]
mod golden;
mod layers;

use tch::{Device, Tensor};

pub use config::DemucsV3Config;
use layers::{DecoderLayer, EncoderLayer};

use crate::demucs::layers::Blstm;
use crate::demucs::resample::Resampler;
use crate::network::{Network, NetworkConfig, Signature, Trainable, Window, center_trim};
use crate::parameters::{ParameterError, Parameters, Scope, checked};

/// The network: mixture in, stems out. Holds weights and nothing that changes from call to call.
#[derive(Debug)]
pub struct DemucsV3 {
    config: DemucsV3Config,
    parameters: Parameters,
    resampler: Option<Resampler>,
    encoder: Vec<EncoderLayer>,
    lstm: Option<Blstm>,
    decoder: Vec<DecoderLayer>,
    device: Device,
}

impl DemucsV3 {
    /// A model from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn from_parameters(
        config: DemucsV3Config,
        parameters: Parameters,
        device: Device,
    ) -> Result<Self, ParameterError> {
        config.validate()?;
        let parameters = checked(config.parameter_specs(), parameters, device)?;
        let root = Scope::root(&parameters);
        let layers = 0..config.depth;
        Ok(Self {
            resampler: config.resample.then(|| Resampler::new(device)),
            encoder: layers
                .clone()
                .map(|index| EncoderLayer::new(&root, &config, index))
                .collect(),
            lstm: (config.lstm_layers > 0)
                .then(|| Blstm::new(&root.at("lstm"), config.lstm_layers)),
            decoder: layers
                .rev()
                .map(|index| DecoderLayer::new(&root, &config, index))
                .collect(),
            config,
            parameters,
            device,
        })
    }
}

impl Trainable for DemucsV3 {
    fn config(&self) -> NetworkConfig {
        NetworkConfig::DemucsV3(self.config.clone())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Network for DemucsV3 {
    fn signature(&self) -> Signature {
        self.config.signature()
    }

    fn device(&self) -> Device {
        self.device
    }

    fn window(&self) -> Window {
        Window::whole(self.config.segment_frames)
    }

    fn window_of(&self, frames: usize) -> Window {
        Window::whole(frames)
    }

    /// The output is as long as the input, which is padded with zeros to a
    /// [`valid_length`](DemucsV3Config::valid_length).
    fn forward(&self, mix: &Tensor) -> Tensor {
        let (batch, channels, frames) = mix.size3().expect("audio has three axes");
        let level = self.config.normalize.then(|| {
            let mono = mix.mean_dim(1, true, None); // [batch, 1, frames]
            (mono.mean_dim(2, true, None), mono.std_dim(2, true, true)) // [batch, 1, 1]
        });
        let mut x = match &level {
            Some((mean, std)) => (mix - mean) / (std + 1e-5),
            None => mix.shallow_clone(),
        };
        let missing = self.config.valid_length(frames as usize) as i64 - frames;
        x = x.constant_pad_nd([missing / 2, missing - missing / 2]);
        if let Some(resampler) = &self.resampler {
            x = resampler.up(&x); // [batch, channels, 2 * frames]
        }
        let mut skips = Vec::with_capacity(self.encoder.len());
        for layer in &self.encoder {
            x = layer.forward(&x);
            skips.push(x.shallow_clone());
        }
        if let Some(lstm) = &self.lstm {
            x = lstm.forward(&x);
        }
        for (layer, skip) in self.decoder.iter().zip(skips.iter().rev()) {
            x = layer.forward(&(&x + center_trim(skip, x.size()[2])));
        }
        if let Some(resampler) = &self.resampler {
            x = resampler.down(&x);
        }
        x = center_trim(&x, frames); // [batch, stems * channels, frames]
        if let Some((mean, std)) = level {
            x = x * std + mean;
        }
        let stems = self.config.stems.len() as i64;
        x.reshape([batch, stems, channels, frames])
    }
}
