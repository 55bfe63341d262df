//! Adam with a state that can be saved, and an average of the weights beside it.
//!
//! Kingma & Ba, *Adam* (2015), epsilon 1e-8; with weight decay it is Loshchilov & Hutter's AdamW
//! (2019), in libtorch's fused kernel. tch's own optimiser keeps its moments to itself, and a run
//! that cannot save them cannot be resumed.

use std::collections::BTreeMap;

use bunri_libtorch::{AdamW, Moved, forget_gradients, gradient_length, move_averages};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

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

/// Moves the parameters it was made for.
#[derive(Debug)]
pub(crate) struct Adam {
    /// In the order of which all lists of tensors are.
    names: Vec<String>,
    parameters: Vec<Tensor>,
    firsts: Vec<Tensor>,
    seconds: Vec<Tensor>,
    /// Empty where `ema_decay` is 0.
    averages: Vec<Tensor>,
    config: AdamConfig,
    /// Steps taken.
    pub(crate) step: u64,
    /// The same on the parameters' device, where the optimiser's kernel reads it.
    step_there: Tensor,
}

impl Adam {
    /// An optimiser that has not yet moved `parameters`, which share storage with the model.
    pub(crate) fn new(parameters: &BTreeMap<String, Tensor>, config: AdamConfig) -> Self {
        let device = (parameters.values().next()).map_or(Device::Cpu, Tensor::device);
        let each = |make: fn(&Tensor) -> Tensor| parameters.values().map(make).collect();
        let zeros = |parameter: &Tensor| parameter.zeros_like().detach();
        let has_average = config.ema_decay > 0.0;
        Self {
            names: parameters.keys().cloned().collect(),
            parameters: each(Tensor::shallow_clone),
            firsts: each(zeros),
            seconds: each(zeros),
            averages: if has_average {
                each(|parameter| parameter.detach().copy())
            } else {
                Vec::new()
            },
            config,
            step: 0,
            step_there: Tensor::zeros([], (Kind::Float, device)),
        }
    }

    /// Sets the gradients of the last step to zero.
    pub(crate) fn zero_grad(&mut self) {
        for parameter in &mut self.parameters {
            parameter.zero_grad();
        }
    }

    /// Takes the gradients of the last step away: cheaper, where every parameter gets a new one.
    pub(crate) fn forget_gradients(&mut self) {
        forget_gradients(&self.parameters);
    }

    /// Length of the whole gradient, all parameters together; a tensor without axes on their device.
    pub(crate) fn grad_norm(&self) -> Tensor {
        gradient_length(&self.parameters).expect("the parameters are on one device")
    }

    /// One step along the gradients, which are first divided by `divisor`.
    pub(crate) fn step(&mut self, learning_rate: f64, divisor: f64) {
        self.step += 1;
        let exponent = self.step as f64;
        let AdamConfig {
            betas,
            weight_decay,
            ema_decay,
        } = self.config;
        let kernel = AdamW {
            learning_rate,
            betas,
            weight_decay,
            epsilon: EPSILON,
        };
        let moved = Moved {
            parameters: &self.parameters,
            firsts: &self.firsts,
            seconds: &self.seconds,
        };
        let _ = self.step_there.fill_(exponent);
        let divisor = (divisor != 1.0)
            .then(|| Tensor::full([], divisor, (Kind::Float, self.step_there.device())));
        kernel
            .step(moved, &self.step_there, divisor.as_ref())
            .expect("parameters and moments have the same shapes and device");
        if !self.averages.is_empty() {
            // The average starts fast, or the first weights would weigh on it for very long.
            let decay = ema_decay.min((1.0 + exponent) / (10.0 + exponent));
            move_averages(&self.averages, &self.parameters, 1.0 - decay)
                .expect("parameters and averages have the same shapes and device");
        }
    }

    /// The weights to validate and ship: their average, or the last ones where none is kept.
    pub(crate) fn shipped_weights(&self) -> BTreeMap<String, Tensor> {
        let shipped = if self.averages.is_empty() {
            &self.parameters
        } else {
            &self.averages
        };
        let weights = self.names.iter().zip(shipped);
        weights
            .map(|(name, weight)| (name.clone(), weight.detach().copy()))
            .collect()
    }

    /// Everything that a resumed run needs, by name: `weight.*`, `first.*`, `second.*`,
    /// `average.*` where one is kept.
    pub(crate) fn state(&self) -> Vec<(String, Tensor)> {
        let Self {
            names,
            parameters,
            firsts,
            seconds,
            averages,
            config: _,
            step: _,
            step_there: _, // set from `step`
        } = self;
        let kinds = [
            ("weight", parameters),
            ("first", firsts),
            ("second", seconds),
            ("average", averages),
        ];
        let of_kind = |(kind, tensors): (&str, &Vec<Tensor>)| -> Vec<(String, Tensor)> {
            let named = names.iter().zip(tensors);
            named
                .map(|(name, tensor)| (format!("{kind}.{name}"), tensor.detach()))
                .collect()
        };
        kinds.into_iter().flat_map(of_kind).collect()
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
