//! A bag of models: several networks for the same stems, averaged stem by stem.
//!
//! Reference: `BagOfModels` of PyPI `demucs==4.1.0`, e.g. `htdemucs_ft` (one fine-tuned model per
//! stem) and `mdx_extra` (four equal ones). There, models are applied one after the other to a whole
//! track; here to each chunk, which comes to the same, as cross-fading and averaging are linear.

mod config;
#[cfg(test)]
mod golden;

use tch::{Device, Tensor};

pub use config::BagConfig;

use crate::network::{Network, NetworkConfig, Signature, Trainable, Window, center_trim};
use crate::parameters::{ParameterError, Parameters, checked};

/// Several networks that answer as one.
#[derive(Debug)]
pub struct Bag {
    config: BagConfig,
    parameters: Parameters,
    models: Vec<Box<dyn Trainable>>,
    /// Share of each model in each stem; they add up to 1: `[models, stems]`.
    shares: Vec<Vec<f64>>,
    device: Device,
}

impl Bag {
    /// A bag from its tensors, named `models.{index}.{name in the model}`; they are moved to
    /// `device`.
    ///
    /// # Errors
    /// [`ParameterError`] if the config is impossible, or names or shapes are not those that it
    /// asks for.
    pub fn from_parameters(
        config: BagConfig,
        parameters: Parameters,
        device: Device,
    ) -> Result<Self, ParameterError> {
        config.validate()?;
        let parameters = checked(config.parameter_specs(), parameters, device)?;
        let mut models = Vec::with_capacity(config.models.len());
        for (index, model) in config.models.iter().enumerate() {
            let prefix = config::prefix(index);
            let part = parameters.iter().filter_map(|(name, tensor)| {
                let name = name.strip_prefix(&prefix)?;
                Some((name.to_owned(), tensor.shallow_clone()))
            });
            models.push(model.clone().build(part.collect(), device)?);
        }
        Ok(Self {
            shares: config.shares(),
            config,
            parameters,
            models,
            device,
        })
    }

    /// The shortest of `own`, one window per model, that every other model uses whole, too. A network
    /// that leaves out its last frames moves its stems against those of the others; where no window
    /// suits all, it is the shortest.
    fn common(&self, own: Vec<Window>) -> Window {
        let shown = |model: usize, chunk_frames: usize| match own[model] {
            window if window.chunk_frames == chunk_frames => window,
            _ => self.models[model].window_of(chunk_frames),
        };
        let suits_all =
            |chunk: &usize| (0..own.len()).all(|model| shown(model, *chunk).chunk_frames == *chunk);
        let chunks = || own.iter().map(|window| window.chunk_frames);
        let chosen = chunks().filter(suits_all).min();
        let chunk_frames = chosen.or_else(|| chunks().min()).unwrap_or(0);
        let outputs = (0..own.len()).map(|model| shown(model, chunk_frames).output_frames);
        Window {
            chunk_frames,
            output_frames: outputs.min().unwrap_or(0),
        }
    }

    /// The networks in it.
    #[must_use]
    pub fn models(&self) -> &[Box<dyn Trainable>] {
        &self.models
    }
}

impl Trainable for Bag {
    fn config(&self) -> NetworkConfig {
        NetworkConfig::Bag(self.config.clone())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Network for Bag {
    fn signature(&self) -> Signature {
        self.config.signature()
    }

    fn device(&self) -> Device {
        self.device
    }

    /// The shortest of its models' windows that all of them use whole.
    fn window(&self) -> Window {
        self.common(self.models.iter().map(|model| model.window()).collect())
    }

    fn window_of(&self, frames: usize) -> Window {
        let windows = self.models.iter().map(|model| model.window_of(frames));
        self.common(windows.collect())
    }

    /// The weighted mean of what the models make of the input, as long as the shortest of it.
    /// Models without a share are not asked.
    fn forward(&self, mix: &Tensor) -> Tensor {
        let channels = mix.size()[1];
        let outputs: Vec<(Tensor, &Vec<f64>)> = self
            .models
            .iter()
            .zip(&self.shares)
            .filter(|(_, shares)| shares.iter().any(|&share| share > 0.0))
            .map(|(model, shares)| (model.forward(mix), shares))
            .collect(); // each [batch, stems, channels, its frames]
        let frames = outputs.iter().map(|(output, _)| output.size()[3]).min();
        let frames = frames.expect("every stem has a model");
        let stems = (0..self.config.stem_count()).map(|stem| {
            let weighted = outputs.iter().filter(|(_, shares)| shares[stem] > 0.0);
            weighted
                .map(|(output, shares)| {
                    center_trim(&output.select(1, stem as i64), frames) * shares[stem]
                })
                .reduce(|sum, next| sum + next)
                .expect("every stem has a model")
        });
        let stems: Vec<Tensor> = stems.collect(); // each [batch, channels, frames]
        debug_assert!(stems.iter().all(|stem| stem.size()[1] == channels));
        Tensor::stack(&stems, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BandSplitConfig, DemucsConfig, TimeContext};

    /// Guards against stems of one model that lie some frames beside those of another: a Demucs that
    /// does not use its last frames gives what is left as if it were the middle.
    #[test]
    fn models_of_different_kinds_are_shown_what_all_of_them_use() {
        let demucs = DemucsConfig {
            channels: 4,
            depth: 3,
            segment_frames: 3000,
            ..DemucsConfig::default()
        };
        let split = BandSplitConfig {
            context: TimeContext::Whole,
            features: 4,
            hidden: 4,
            blocks: 1,
            segment_frames: 2800,
            ..BandSplitConfig::default()
        };
        let config = NetworkConfig::Bag(BagConfig {
            models: vec![
                NetworkConfig::BandSplit(split),
                NetworkConfig::Demucs(demucs),
            ],
            weights: None,
        });
        let parameters = config.untrained_parameters(1);
        let NetworkConfig::Bag(config) = config else {
            unreachable!("it was made above")
        };
        let bag = Bag::from_parameters(config, parameters, Device::Cpu).unwrap();
        for window in [bag.window(), bag.window_of(5000)] {
            let frames = window.chunk_frames as i64;
            let mix = Tensor::rand([1, 2, frames], (tch::Kind::Float, Device::Cpu)) - 0.5;
            let changed = mix.copy();
            let _ = changed.narrow(2, frames - 1, 1).fill_(3.0);
            for model in bag.models() {
                let change = (model.forward(&mix) - model.forward(&changed)).abs().max();
                let kind = std::mem::discriminant(&model.config());
                assert!(change.double_value(&[]) > 0.0, "{kind:?}: {window:?}");
            }
            assert_eq!(bag.forward(&mix).size()[3], window.output_frames as i64);
        }
    }
}
