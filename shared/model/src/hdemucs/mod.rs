//! Hybrid Demucs (v3): a U-Net over the spectrogram and one over the waveform that share their
//! deepest layers.
//!
//! Défossez, *Hybrid Spectrogram and Waveform Source Separation* (2021); reference implementation:
//! `HDemucs` of PyPI `demucs==4.1.0`. Equal to it at the same weights, which golden files prove.
//!
//! Every input is normalised on its own, in both branches, so its loudness does not matter: what
//! the reference does to a whole track before (`(x - mean) / std`, and back after) changes nothing
//! but the weight of its 1e-5 against a division by zero, and is not repeated here.

mod config;
#[cfg(test)]
mod golden;

use tch::{Device, Tensor};

pub use config::HDemucsConfig;

use crate::hybrid::unet::HybridUNet;
use crate::network::{Network, NetworkConfig, Signature, Trainable, Window};
use crate::parameters::{ParameterError, Parameters, Scope, checked};

/// The network: mixture in, stems out. Holds weights and nothing that changes from call to call.
#[derive(Debug)]
pub struct HDemucs {
    config: HDemucsConfig,
    parameters: Parameters,
    unet: HybridUNet,
    device: Device,
}

impl HDemucs {
    /// A model from its tensors, by name; they are moved to `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn from_parameters(
        config: HDemucsConfig,
        parameters: Parameters,
        device: Device,
    ) -> Result<Self, ParameterError> {
        config.validate()?;
        let parameters = checked(config.parameter_specs(), parameters, device)?;
        Ok(Self {
            unet: HybridUNet::new(&Scope::root(&parameters), &config.shape(), device),
            config,
            parameters,
            device,
        })
    }
}

impl Trainable for HDemucs {
    fn config(&self) -> NetworkConfig {
        NetworkConfig::HDemucs(self.config.clone())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Network for HDemucs {
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

    /// The output is as long as the input, of any length.
    fn forward(&self, mix: &Tensor) -> Tensor {
        self.unet.forward(mix, |_, _| None)
    }
}
