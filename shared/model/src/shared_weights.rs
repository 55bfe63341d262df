//! Weights that several streams, on several threads, read at once.
#![allow(unsafe_code)] // One assertion about libtorch's threads, below.

use std::sync::OnceLock;

use bunri_stream::SeparateError;
use tch::{Device, TchError};

use crate::device::device_name;
use crate::model_file::{LoadedModel, Recipe};
use crate::network::Network;
use crate::run::{guarded, is_device_failure};

/// A network that can no longer be trained, only read; put it behind an `Arc`.
///
/// Where its device fails (out of memory, or lost), it goes on on the CPU.
#[derive(Debug)]
pub struct SharedWeights {
    network: Box<dyn Network>,
    /// How to build it again; not of TorchScript models.
    recipe: Option<Recipe>,
    /// The same network on the CPU, after its device failed, and why.
    fallback: OnceLock<(Box<dyn Network>, String)>,
    /// Why it was not loaded where it was asked to be.
    loading_notice: Option<String>,
    bytes: u64,
}

// SAFETY: a `Network` is a tree of tensors and plain data, a `Recipe` too. `forward` and `step` take
// `&self`, read the tensors and write none; libtorch documents concurrent reads of one tensor, and
// concurrent runs of one TorchScript module, as safe. The only way to write through a shared tensor
// is `Trainable::parameters`, which a `Network` does not have, and this type hands out no recipe.
unsafe impl Sync for SharedWeights {}

impl SharedWeights {
    /// Freezes a network for reading. It has no fallback.
    ///
    /// Its weights must not require gradients: those of a [`LoadedModel`] do not.
    #[must_use]
    pub fn new(network: Box<dyn Network>) -> Self {
        Self {
            network,
            recipe: None,
            fallback: OnceLock::new(),
            loading_notice: None,
            bytes: 0,
        }
    }

    /// The network: as it was loaded, or its fallback.
    #[must_use]
    pub fn network(&self) -> &dyn Network {
        self.fallback
            .get()
            .map_or(&*self.network, |(network, _)| &**network)
    }

    /// What became of the device, if it was full or has failed; a sentence for the user.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        let fallback = self.fallback.get().map(|(_, reason)| reason.as_str());
        fallback.or(self.loading_notice.as_deref())
    }

    /// Size of the weights in memory; 0 where it is not known.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Runs the network; once more, on the CPU, if its device fails.
    pub(crate) fn run<T>(
        &self,
        mut work: impl FnMut(&dyn Network) -> Result<T, TchError>,
    ) -> Result<T, SeparateError> {
        let fell_back = self.fallback.get().is_some();
        let reason = match guarded(|| work(self.network())) {
            Ok(value) => return Ok(value),
            Err(reason) => reason,
        };
        let Some(recipe) = &self.recipe else {
            return Err(SeparateError::Model(reason));
        };
        if fell_back || !is_device_failure(&reason) {
            return Err(SeparateError::Model(reason));
        }
        if self.fallback.get().is_none() {
            let network = recipe.build(Device::Cpu).map_err(SeparateError::Model)?;
            let device = device_name(self.network.device());
            let notice = format!("{device} failed, separating on the CPU from now on: {reason}");
            // Another stream may have been quicker: its copy is as good.
            let _ = self.fallback.set((network, notice));
        }
        guarded(|| work(self.network())).map_err(SeparateError::Model)
    }
}

impl From<LoadedModel> for SharedWeights {
    fn from(model: LoadedModel) -> Self {
        let bytes = model.weights_bytes().unwrap_or(0);
        let LoadedModel {
            network,
            recipe,
            notice,
            ..
        } = model;
        Self {
            recipe,
            loading_notice: notice,
            bytes,
            ..Self::new(network)
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;
    use crate::network::{Signature, Window};
    use crate::{Checkpoint, DemucsConfig, NetworkConfig, Provenance};

    /// A network on a device that is gone.
    #[derive(Debug)]
    struct Lost(Signature);

    impl Network for Lost {
        fn signature(&self) -> Signature {
            self.0.clone()
        }

        fn device(&self) -> Device {
            Device::Cpu
        }

        fn window(&self) -> Window {
            unreachable!("nobody asks")
        }

        fn forward(&self, _: &Tensor) -> Tensor {
            panic!("CUDA error: unspecified launch failure")
        }
    }

    fn loaded() -> LoadedModel {
        let config = DemucsConfig {
            depth: 2,
            segment_frames: 500,
            ..DemucsConfig::v1(4)
        };
        let network = NetworkConfig::Demucs(config);
        let network = network.untrained(1, Device::Cpu).unwrap();
        let (provenance, licence) = (Provenance::default(), String::new());
        Checkpoint {
            network,
            provenance,
            licence,
        }
        .into()
    }

    /// Guards a session from going silent, and a bounce from ending, with the GPU.
    #[test]
    fn a_lost_device_is_replaced_by_the_cpu_once_and_said() {
        let model = loaded();
        let mix = Tensor::ones([1, 2, 500], (Kind::Float, Device::Cpu));
        let expected = tch::no_grad(|| model.network.forward(&mix));
        let lost: Box<dyn Network> = Box::new(Lost(model.network.signature()));
        let weights = SharedWeights::from(LoadedModel {
            network: lost,
            ..model
        });
        assert_eq!(weights.notice(), None);
        for _ in 0..2 {
            let output = weights.run(|network| Ok(network.forward(&mix))).unwrap();
            assert_eq!(output, expected);
        }
        let notice = weights.notice().unwrap();
        assert!(notice.contains("launch failure"), "{notice}");
    }

    #[test]
    fn faults_of_the_network_itself_are_not_tried_twice() {
        let weights = SharedWeights::from(loaded());
        let mut tries = 0;
        let result = weights.run::<()>(|_| {
            tries += 1;
            panic!("shape mismatch")
        });
        assert!(result.unwrap_err().to_string().contains("shape mismatch"));
        assert_eq!((tries, weights.notice()), (1, None));
    }
}
