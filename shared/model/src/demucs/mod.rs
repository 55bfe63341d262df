//! Demucs v1 and v2: a U-Net over the waveform with an LSTM in the middle.
//!
//! Défossez et al., *Music Source Separation in the Waveform Domain* (2019); reference
//! implementation: PyPI `demucs==2.0.3`. Equal to it at the same weights, which golden files prove.

mod config;
#[cfg(test)]
mod golden;
mod layers;
mod parameters;
mod resample;

use std::collections::BTreeMap;

use tch::{Device, Tensor};

pub use config::{ConfigError, DemucsConfig};
use layers::{Blstm, DecoderLayer, EncoderLayer};
pub use parameters::ParameterSpec;
use resample::Resampler;

/// The network: mixture in, stems out. Holds weights and nothing that changes from call to call.
#[derive(Debug)]
pub struct Demucs {
    config: DemucsConfig,
    parameters: BTreeMap<String, Tensor>,
    resampler: Option<Resampler>,
    encoder: Vec<EncoderLayer>,
    lstm: Option<Blstm>,
    decoder: Vec<DecoderLayer>,
    device: Device,
}

/// Why given tensors are not the parameters of a config.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum ParameterError {
    /// The config itself is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A tensor that the config needs is not there.
    #[error("tensor {0} is missing")]
    Missing(String),
    /// A tensor is there that the config has no place for.
    #[error("tensor {0} does not belong to this architecture")]
    Unexpected(String),
    /// A tensor has another shape than the config says.
    #[error("tensor {name} has shape {got:?}, the config needs {expected:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Shape by the config.
        expected: Vec<i64>,
        /// Shape found.
        got: Vec<i64>,
    },
}

impl Demucs {
    /// A new, untrained model; equal seeds give equal weights.
    ///
    /// # Errors
    /// [`ConfigError`] if the config cannot be built.
    pub fn untrained(config: DemucsConfig, seed: i64, device: Device) -> Result<Self, ConfigError> {
        config.validate()?;
        tch::manual_seed(seed);
        let parameters = tch::no_grad(|| parameters::initial_parameters(&config));
        Ok(Self::assemble(config, parameters, device))
    }

    /// A model from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if names or shapes are not those that the config asks for.
    pub fn from_parameters(
        config: DemucsConfig,
        parameters: BTreeMap<String, Tensor>,
        device: Device,
    ) -> Result<Self, ParameterError> {
        config.validate()?;
        let shapes = parameters
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.size()));
        check_shapes(&config, shapes)?;
        Ok(Self::assemble(config, parameters, device))
    }

    fn assemble(
        config: DemucsConfig,
        mut parameters: BTreeMap<String, Tensor>,
        device: Device,
    ) -> Self {
        for tensor in parameters.values_mut() {
            *tensor = tensor.to_device(device);
        }
        let layers = 0..config.depth;
        Self {
            resampler: config.resample.then(|| Resampler::new(device)),
            encoder: layers
                .clone()
                .map(|i| EncoderLayer::new(&parameters, &config, i))
                .collect(),
            lstm: (config.lstm_layers > 0).then(|| Blstm::new(&parameters, config.lstm_layers)),
            decoder: layers
                .map(|i| DecoderLayer::new(&parameters, &config, i))
                .collect(),
            config,
            parameters,
            device,
        }
    }

    /// What the model was built from.
    #[must_use]
    pub fn config(&self) -> &DemucsConfig {
        &self.config
    }

    /// Where its weights lie.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// All parameters by name. The tensors share the model's storage: training writes through them.
    #[must_use]
    pub fn parameters(&self) -> &BTreeMap<String, Tensor> {
        &self.parameters
    }

    /// Separates a batch: `[batch, channels, frames]` → `[batch, stems, channels, output frames]`.
    ///
    /// The output is centred on the input and
    /// [`output_frames`](DemucsConfig::output_frames) long. Use a
    /// [`valid_length`](DemucsConfig::valid_length), or the last frames are ignored.
    pub fn forward(&self, mix: &Tensor) -> Tensor {
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
        x = x * std + mean; // [batch, stems * channels, output frames]
        let (batch, _, frames) = x.size3().expect("audio has three axes");
        let (stems, channels) = (
            self.config.stems.len() as i64,
            self.config.audio_channels as i64,
        );
        x.reshape([batch, stems, channels, frames])
    }
}

/// Checks names and shapes of tensors against a config, without touching their data.
///
/// # Errors
/// The first [`ParameterError`] found.
pub fn check_shapes<'a>(
    config: &DemucsConfig,
    shapes: impl Iterator<Item = (&'a str, Vec<i64>)>,
) -> Result<(), ParameterError> {
    let mut expected: BTreeMap<String, Vec<i64>> = parameters::parameter_specs(config)
        .into_iter()
        .map(|spec| (spec.name, spec.shape))
        .collect();
    for (name, got) in shapes {
        let shape = expected
            .remove(name)
            .ok_or_else(|| ParameterError::Unexpected(name.into()))?;
        if shape != got {
            return Err(ParameterError::Shape {
                name: name.into(),
                expected: shape,
                got,
            });
        }
    }
    match expected.into_keys().next() {
        Some(name) => Err(ParameterError::Missing(name)),
        None => Ok(()),
    }
}

/// Cuts the last axis down to `frames` around its centre; an odd frame goes from the end.
pub fn center_trim(x: &Tensor, frames: i64) -> Tensor {
    let surplus = x.size().last().copied().unwrap_or(0) - frames;
    x.narrow(-1, surplus / 2, frames)
}
