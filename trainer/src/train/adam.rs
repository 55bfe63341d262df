//! Adam with a state that can be saved, and an average of the weights beside it.
//!
//! Kingma & Ba, *Adam* (2015), epsilon 1e-8; with weight decay it is Loshchilov & Hutter's AdamW
//! (2019), as torch writes it. tch's own optimiser keeps its moments to itself, and a run that
//! cannot save them cannot be resumed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::Tensor;

const EPSILON: f64 = 1e-8;

/// How the optimiser remembers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamConfig {
    /// Decay per step of the means of gradients and of their squares.
    pub betas: [f64; 2],
    /// Share of the learning rate by which weights shrink per step (AdamW); 0 is Adam.
    pub weight_decay: f64,
    /// Decay per step of the averaged weights; 0 keeps no average.
    pub ema_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            betas: [0.9, 0.999],
            weight_decay: 0.0,
            ema_decay: 0.0,
        }
    }
}

impl AdamConfig {
    /// # Errors
    /// Values outside of their ranges.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.betas.iter().all(|beta| (0.0..1.0).contains(beta)),
            "betas must be within 0..1, got {:?}",
            self.betas
        );
        anyhow::ensure!(
            (0.0..1.0).contains(&self.ema_decay),
            "ema_decay must be within 0..1, got {}",
            self.ema_decay
        );
        anyhow::ensure!(
            self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            "weight_decay must be 0 or more, got {}",
            self.weight_decay
        );
        Ok(())
    }
}

/// The optimiser's memory for one parameter.
#[derive(Debug)]
struct Moments {
    first: Tensor,
    second: Tensor,
    /// Kept where `ema_decay` is above 0.
    average: Option<Tensor>,
}

/// Moves the parameters it was made for.
#[derive(Debug)]
pub(crate) struct Adam {
    parameters: BTreeMap<String, Tensor>,
    moments: BTreeMap<String, Moments>,
    config: AdamConfig,
    /// Steps taken.
    pub(crate) step: u64,
}

impl Adam {
    /// An optimiser that has not yet moved `parameters`, which share storage with the model.
    pub(crate) fn new(parameters: &BTreeMap<String, Tensor>, config: AdamConfig) -> Self {
        let moments = parameters.iter().map(|(name, parameter)| {
            let first = parameter.zeros_like().detach();
            let average = (config.ema_decay > 0.0).then(|| parameter.detach().copy());
            (
                name.clone(),
                Moments {
                    second: first.copy(),
                    first,
                    average,
                },
            )
        });
        Self {
            moments: moments.collect(),
            parameters: parameters
                .iter()
                .map(|(n, p)| (n.clone(), p.shallow_clone()))
                .collect(),
            config,
            step: 0,
        }
    }

    /// Forgets the gradients of the last step.
    pub(crate) fn zero_grad(&mut self) {
        for parameter in self.parameters.values_mut() {
            parameter.zero_grad();
        }
    }

    /// Length of the whole gradient, all parameters together.
    pub(crate) fn grad_norm(&self) -> f64 {
        let squares = self
            .parameters
            .values()
            .map(|p| p.grad().square().sum(tch::Kind::Double));
        squares
            .fold(0.0, |sum, square| sum + square.double_value(&[]))
            .sqrt()
    }

    /// One step along the gradients, which are first multiplied by `grad_scale`.
    pub(crate) fn step(&mut self, learning_rate: f64, grad_scale: f64) {
        self.step += 1;
        let exponent = self.step as f64;
        let AdamConfig {
            betas: [beta_1, beta_2],
            weight_decay,
            ema_decay,
        } = self.config;
        let correction_1 = 1.0 - beta_1.powf(exponent);
        let correction_2 = 1.0 - beta_2.powf(exponent);
        // The average starts fast, or the first weights would weigh on it for very long.
        let ema_decay = ema_decay.min((1.0 + exponent) / (10.0 + exponent));
        tch::no_grad(|| {
            for (name, parameter) in &mut self.parameters {
                let Some(Moments {
                    first,
                    second,
                    average,
                }) = self.moments.get_mut(name)
                else {
                    continue;
                };
                let grad = parameter.grad() * grad_scale;
                if weight_decay > 0.0 {
                    *parameter *= 1.0 - learning_rate * weight_decay;
                }
                let _ = first.lerp_(&grad, 1.0 - beta_1);
                let _ = second
                    .g_mul_scalar_(beta_2)
                    .addcmul_(&grad, &(&grad * (1.0 - beta_2)));
                let scale = (&*second / correction_2).sqrt() + EPSILON;
                *parameter -= &*first / scale * (learning_rate / correction_1);
                if let Some(average) = average {
                    let _ = average.lerp_(&*parameter, 1.0 - ema_decay);
                }
            }
        });
    }

    /// The weights to validate and ship: their average, or the last ones where none is kept.
    pub(crate) fn shipped_weights(&self) -> BTreeMap<String, Tensor> {
        let weights = self.parameters.iter().map(|(name, parameter)| {
            let average = (self.moments.get(name)).and_then(|moments| moments.average.as_ref());
            (name.clone(), average.unwrap_or(parameter).detach().copy())
        });
        weights.collect()
    }

    /// Everything that a resumed run needs, by name: `weight.*`, `first.*`, `second.*`,
    /// `average.*` where one is kept.
    pub(crate) fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::new();
        for (name, parameter) in &self.parameters {
            state.push((format!("weight.{name}"), parameter.detach()));
        }
        for (
            name,
            Moments {
                first,
                second,
                average,
            },
        ) in &self.moments
        {
            let kinds = [("first", Some(first)), ("second", Some(second))];
            for (kind, tensor) in kinds.into_iter().chain([("average", average.as_ref())]) {
                let Some(tensor) = tensor else { continue };
                state.push((format!("{kind}.{name}"), tensor.shallow_clone()));
            }
        }
        state
    }

    /// Takes a state back.
    ///
    /// # Errors
    /// The first tensor that is missing or has another shape.
    pub(crate) fn restore(
        &mut self,
        state: &BTreeMap<String, Tensor>,
        step: u64,
    ) -> anyhow::Result<()> {
        for (name, mut tensor) in self.state() {
            let saved = state
                .get(&name)
                .filter(|saved| saved.size() == tensor.size())
                .ok_or_else(|| {
                    anyhow::anyhow!("the saved state has no {name} of shape {:?}", tensor.size())
                })?;
            tch::no_grad(|| tensor.copy_(saved));
        }
        self.step = step;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// 50 steps of ours and of torch's own optimiser from the same start.
    fn difference_from(
        reference: impl tch::nn::OptimizerConfig,
        config: AdamConfig,
        learning_rate: f64,
    ) -> f64 {
        tch::manual_seed(1);
        let start = Tensor::randn([5, 3], (Kind::Float, Device::Cpu));
        let goal = Tensor::randn([5, 3], (Kind::Float, Device::Cpu));

        let store = tch::nn::VarStore::new(Device::Cpu);
        let theirs = store.root().var_copy("x", &start);
        let mut reference = reference.build(&store, learning_rate).unwrap();

        let ours = start.copy().set_requires_grad(true);
        let parameters = BTreeMap::from([("x".to_owned(), ours.shallow_clone())]);
        let mut adam = Adam::new(&parameters, config);
        for _ in 0..50 {
            reference.backward_step(&(&theirs - &goal).abs().sum(Kind::Float));
            adam.zero_grad();
            (&ours - &goal).abs().sum(Kind::Float).backward();
            adam.step(learning_rate, 1.0);
        }
        (&theirs - &ours).abs().max().double_value(&[])
    }

    /// Guards against a wrong bias correction, sign or decay: torch's own are the reference.
    #[test]
    fn equals_torchs_adam_and_adamw() {
        let adam = difference_from(tch::nn::Adam::default(), AdamConfig::default(), 0.01);
        assert!(adam < 1e-6, "{adam}");
        let theirs = tch::nn::AdamW {
            wd: 0.1,
            beta1: 0.5,
            beta2: 0.9,
            ..tch::nn::AdamW::default()
        };
        let ours = AdamConfig {
            betas: [0.5, 0.9],
            weight_decay: 0.1,
            ..AdamConfig::default()
        };
        let adamw = difference_from(theirs, ours, 0.01);
        assert!(adamw < 1e-6, "{adamw}");
    }
}
