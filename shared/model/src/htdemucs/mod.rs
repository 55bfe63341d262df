//! HTDemucs (v4): a U-Net over the spectrogram and one over the waveform, with a transformer in the
//! middle in which each hears the other.
//!
//! Rouard et al., *Hybrid Transformers for Music Source Separation* (2022); reference
//! implementation: `HTDemucs` of PyPI `demucs==4.1.0`. Equal to it at the same weights, which golden
//! files prove.
//!
//! Every input is normalised on its own, in both branches, so its loudness does not matter: what
//! the reference does to a whole track before (`(x - mean) / std`, and back after) changes nothing
//! but the weight of its 1e-5 against a division by zero, and is not repeated here.

mod config;
#[cfg(test)]
mod golden;
mod layer;
mod position;
mod transformer;

use tch::{Device, Tensor};

pub use config::{HTDemucsConfig, PositionEmbedding};
use transformer::CrossTransformer;

use crate::hybrid::unet::HybridUNet;
use crate::network::{Network, NetworkConfig, Signature, Trainable, Window};
use crate::parameters::{ParameterError, Parameters, Scope, checked};

/// The network: mixture in, stems out. Holds weights and nothing that changes from call to call.
#[derive(Debug)]
pub struct HTDemucs {
    config: HTDemucsConfig,
    parameters: Parameters,
    unet: HybridUNet,
    transformer: Option<CrossTransformer>,
    device: Device,
}

impl HTDemucs {
    /// A model from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn from_parameters(
        config: HTDemucsConfig,
        parameters: Parameters,
        device: Device,
    ) -> Result<Self, ParameterError> {
        config.validate()?;
        let parameters = checked(config.parameter_specs(), parameters, device)?;
        let root = Scope::root(&parameters);
        Ok(Self {
            unet: HybridUNet::new(&root, &config.shape(), device),
            transformer: (config.t_layers > 0).then(|| CrossTransformer::new(&root, &config)),
            config,
            parameters,
            device,
        })
    }
}

impl Trainable for HTDemucs {
    fn config(&self) -> NetworkConfig {
        NetworkConfig::HTDemucs(self.config.clone())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Network for HTDemucs {
    fn signature(&self) -> Signature {
        self.config.signature()
    }

    fn device(&self) -> Device {
        self.device
    }

    /// The segments that it was trained on: it knows no other positions.
    fn window(&self) -> Window {
        Window::whole(self.config.segment_frames)
    }

    /// The output is as long as the input. Inputs shorter than the segments it was trained on are
    /// padded with zeros at the end, unless `use_train_segment` is off; longer ones are separated in
    /// one piece, which the reference refuses and no training has prepared it for.
    fn forward(&self, mix: &Tensor) -> Tensor {
        let frames = mix.size()[2];
        let missing = self.config.segment_frames as i64 - frames;
        let is_padded = self.config.use_train_segment && missing > 0;
        let padded = if is_padded {
            mix.constant_pad_nd([0, missing])
        } else {
            mix.shallow_clone()
        };
        let output = self.unet.forward(&padded, |x, xt| {
            Some(match &self.transformer {
                Some(transformer) => transformer.forward(&x, &xt),
                None => (x, xt),
            })
        });
        if is_padded {
            output.narrow(3, 0, frames)
        } else {
            output
        }
    }
}
