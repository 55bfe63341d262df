//! The door for networks of others: a TorchScript module and a small file that describes it.
//!
//! The description is TOML, see [`Description`]; the module lies beside it. The module's `forward`
//! takes `[batch, channels, frames]` and gives `[batch, stems, channels, frames]`, keeps no state
//! between calls and works at any batch size. `examples/export_open_unmix.py` writes such a pair.
//!
//! **TorchScript is code.** Loading a module runs what its author wrote: take one only from
//! somebody you would take a program from. Checkpoints of this project execute nothing.

mod description;
#[cfg(test)]
mod golden;

use std::path::Path;

use tch::{CModule, Device, Kind, Tensor};

pub use description::{Description, DescriptionError};

use crate::model_bytes;
use crate::network::{Network, Signature, Window};

/// A TorchScript module as a [`Network`].
#[derive(Debug)]
pub struct TorchScript {
    description: Description,
    module: CModule,
    device: Device,
}

/// Why a TorchScript model could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchScriptError {
    /// The description is not there, does not parse, or describes nothing possible.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// libtorch cannot load the module.
    #[error(
        "{path} is no TorchScript module that libtorch {version} can load: {reason}",
        version = "2.11"
    )]
    Module {
        /// The module's file.
        path: String,
        /// The first line of libtorch's word.
        reason: String,
    },
    /// The module fails on a chunk of silence.
    #[error("the TorchScript module fails on one chunk of silence: {0}")]
    Run(String),
    /// The module's output is not what the description says.
    #[error(
        "the TorchScript module makes {got:?} of a chunk, its description says {expected:?} ([batch, stems, channels, frames])"
    )]
    Output {
        /// Shape by the description.
        expected: Vec<i64>,
        /// Shape of the output.
        got: Vec<i64>,
    },
}

impl TorchScript {
    /// Loads the module that a description names, **which runs its code**, and tries it on silence.
    ///
    /// # Errors
    /// [`TorchScriptError`]: no description, no module, or one that does not do what it says.
    pub fn load(description: &Path, device: Device) -> Result<Self, TorchScriptError> {
        let (description, file) = Description::load(description)?;
        let broken = |reason: String| TorchScriptError::Module {
            path: file.display().to_string(),
            reason,
        };
        model_bytes::check(&file).map_err(|error| broken(error.to_string()))?;
        let mut module =
            CModule::load_on_device(&file, device).map_err(|error| broken(first_line(&error)))?;
        module
            .f_set_eval()
            .map_err(|error| TorchScriptError::Run(first_line(&error)))?;
        let loaded = Self {
            description,
            module,
            device,
        };
        loaded.try_on_silence()?;
        Ok(loaded)
    }

    /// What its author says about it.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    fn try_on_silence(&self) -> Result<(), TorchScriptError> {
        let Description {
            channels,
            stems,
            chunk_frames,
            ..
        } = &self.description;
        let [channels, frames] = [*channels as i64, *chunk_frames as i64];
        let silence = Tensor::zeros([1, channels, frames], (Kind::Float, self.device));
        let output = tch::no_grad(|| self.module.forward_ts(&[silence]))
            .map_err(|error| TorchScriptError::Run(first_line(&error)))?;
        let expected = vec![1, stems.len() as i64, channels, frames];
        if output.size() == expected {
            Ok(())
        } else {
            let got = output.size();
            Err(TorchScriptError::Output { expected, got })
        }
    }
}

impl Network for TorchScript {
    fn signature(&self) -> Signature {
        Signature {
            rate_hz: self.description.rate_hz,
            channels: self.description.channels,
            stems: self.description.stems.clone(),
        }
    }

    fn device(&self) -> Device {
        self.device
    }

    fn window(&self) -> Window {
        let Description {
            chunk_frames,
            lookahead_frames,
            ..
        } = self.description;
        Window {
            chunk_frames,
            output_frames: chunk_frames - 2 * lookahead_frames,
        }
    }

    /// # Panics
    /// With libtorch's message if the module fails; it did not fail on silence.
    fn forward(&self, mix: &Tensor) -> Tensor {
        let output = self
            .module
            .forward_ts(&[mix])
            .unwrap_or_else(|error| panic!("TorchScript: {}", first_line(&error)));
        let lookahead = self.description.lookahead_frames as i64;
        let kept = output.size()[3] - 2 * lookahead;
        output.narrow(3, lookahead, kept).to_kind(Kind::Float)
    }
}

fn first_line(error: &tch::TchError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
