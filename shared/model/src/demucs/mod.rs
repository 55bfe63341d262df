//! Demucs v1 and v2: a U-Net over the waveform with an LSTM in the middle.
//!
//! Défossez et al., *Music Source Separation in the Waveform Domain* (2019); reference
//! implementation: PyPI `demucs==2.0.3`. Equal to it at the same weights, which golden files prove.

mod config;
#[cfg(test)]
mod golden;
pub(crate) mod layers;
mod parameters;
pub(crate) mod resample;

use tch::{Device, Tensor};

pub use config::DemucsConfig;
use layers::{Blstm, DecoderLayer, EncoderLayer};
use resample::Resampler;

use crate::network::{Network, NetworkConfig, Signature, Trainable, Window, center_trim};
use crate::parameters::{ParameterError, Parameters, Scope, checked};
use crate::recompute::through;

/// The network: mixture in, stems out. Holds weights and nothing that changes from call to call.
#[derive(Debug)]
pub struct Demucs {
    config: DemucsConfig,
    parameters: Parameters,
    resampler: Option<Resampler>,
    encoder: Vec<EncoderLayer>,
    lstm: Option<Blstm>,
    decoder: Vec<DecoderLayer>,
    device: Device,
}

impl Demucs {
    /// A model from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn from_parameters(
        config: DemucsConfig,
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
                .map(|i| EncoderLayer::new(&root, &config, i))
                .collect(),
            lstm: (config.lstm_layers > 0)
                .then(|| Blstm::new(&root.at("lstm"), config.lstm_layers)),
            decoder: layers
                .map(|i| DecoderLayer::new(&root, &config, i))
                .collect(),
            config,
            parameters,
            device,
        })
    }
}

impl Trainable for Demucs {
    fn config(&self) -> NetworkConfig {
        NetworkConfig::Demucs(self.config.clone())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Network for Demucs {
    fn signature(&self) -> Signature {
        self.config.signature()
    }

    fn device(&self) -> Device {
        self.device
    }

    /// About the segments that it was trained on.
    fn window(&self) -> Window {
        self.window_of(self.config.segment_frames)
    }

    fn window_of(&self, frames: usize) -> Window {
        let chunk_frames = self.config.valid_length(frames);
        Window {
            chunk_frames,
            output_frames: self.config.output_frames(chunk_frames).min(chunk_frames),
        }
    }

    /// The output is [`output_frames`](DemucsConfig::output_frames) long. Use a
    /// [`valid_length`](DemucsConfig::valid_length), or the last frames are ignored.
    fn forward(&self, mix: &Tensor) -> Tensor {
        let (mean, std) = if self.config.normalize {
            let mono = mix.mean_dim(1, true, None); // [batch, 1, frames]
            (mono.mean_dim(2, true, None), mono.std_dim(2, true, true)) // [batch, 1, 1]
        } else {
            (
                Tensor::from(0f32).to_device(self.device),
                Tensor::from(1f32).to_device(self.device),
            )
        };
        let mut x = (mix - &mean) / (&std + 1e-5);
        if let Some(resampler) = &self.resampler {
            x = resampler.up(&x); // [batch, channels, 2 * frames]
        }
        let mut skips = Vec::with_capacity(self.encoder.len());
        for layer in &self.encoder {
            x = through(&x, layer, EncoderLayer::shared, EncoderLayer::forward);
            skips.push(x.shallow_clone());
        }
        if let Some(lstm) = &self.lstm {
            x = lstm.forward(&x);
        }
        for (layer, skip) in self.decoder.iter().zip(skips.iter().rev()) {
            let both = &x + center_trim(skip, x.size()[2]);
            x = through(&both, layer, DecoderLayer::shared, DecoderLayer::forward);
        }
        if let Some(resampler) = &self.resampler {
            x = resampler.down(&x);
        }
        x = x * std + mean; // [batch, stems * channels, output frames]
        let (batch, _, frames) = x.size3().expect("audio has three axes");
        let (stems, channels) = (
            self.config.stems.len() as i64,
            self.config.audio_channels as i64,
        );
        x.reshape([batch, stems, channels, frames])
    }
}
