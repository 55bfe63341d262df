//! Adam with a state that can be saved, and an average of the weights beside it.
//!
//! Kingma & Ba, *Adam* (2015), with torch's defaults (betas 0.9 and 0.999, epsilon 1e-8). tch's own
//! optimiser keeps its moments to itself, and a run that cannot save them cannot be resumed.

use std::collections::BTreeMap;

use tch::Tensor;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The optimiser's memory for one parameter.
#[derive(Debug)]
struct Moments {
    first: Tensor,
    second: Tensor,
    average: Tensor,
}

/// Moves the parameters it was made for.
#[derive(Debug)]
pub(super) struct Adam {
    parameters: BTreeMap<String, Tensor>,
    moments: BTreeMap<String, Moments>,
    ema_decay: f64,
    /// Steps taken.
    pub(super) step: u64,
}

impl Adam {
    /// An optimiser that has not yet moved `parameters`, which share storage with the model.
    pub(super) fn new(parameters: &BTreeMap<String, Tensor>, ema_decay: f64) -> Self {
        let moments = parameters.iter().map(|(name, parameter)| {
            let first = parameter.zeros_like().detach();
            let average = parameter.detach().copy();
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
            ema_decay,
            step: 0,
        }
    }

    /// Forgets the gradients of the last step.
    pub(super) fn zero_grad(&mut self) {
        for parameter in self.parameters.values_mut() {
            parameter.zero_grad();
        }
    }

    /// Length of the whole gradient, all parameters together.
    pub(super) fn grad_norm(&self) -> f64 {
        let squares = self
            .parameters
            .values()
            .map(|p| p.grad().square().sum(tch::Kind::Double));
        squares
            .fold(0.0, |sum, square| sum + square.double_value(&[]))
            .sqrt()
    }

    /// One step along the gradients, which are first multiplied by `grad_scale`.
    pub(super) fn step(&mut self, learning_rate: f64, grad_scale: f64) {
        self.step += 1;
        let exponent = self.step as f64;
        let correction_1 = 1.0 - BETA_1.powf(exponent);
        let correction_2 = 1.0 - BETA_2.powf(exponent);
        // The average starts fast, or the first weights would weigh on it for very long.
        let ema_decay = self.ema_decay.min((1.0 + exponent) / (10.0 + exponent));
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
                let _ = first.lerp_(&grad, 1.0 - BETA_1);
                let _ = second
                    .g_mul_scalar_(BETA_2)
                    .addcmul_(&grad, &(&grad * (1.0 - BETA_2)));
                let scale = (&*second / correction_2).sqrt() + EPSILON;
                *parameter -= &*first / scale * (learning_rate / correction_1);
                if self.ema_decay > 0.0 {
                    let _ = average.lerp_(&*parameter, 1.0 - ema_decay);
                }
            }
        });
    }

    /// The weights to validate and ship: their average, or the last ones where none is kept.
    pub(super) fn shipped_weights(&self) -> BTreeMap<String, Tensor> {
        let weights = self.parameters.iter().map(|(name, parameter)| {
            let averaged = self.ema_decay > 0.0;
            let weight = match self.moments.get(name) {
                Some(moments) if averaged => moments.average.copy(),
                _ => parameter.detach().copy(),
            };
            (name.clone(), weight)
        });
        weights.collect()
    }

    /// Everything that a resumed run needs, by name: `weight.*`, `first.*`, `second.*`,
    /// `average.*`.
    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
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
            for (kind, tensor) in [("first", first), ("second", second), ("average", average)] {
                state.push((format!("{kind}.{name}"), tensor.shallow_clone()));
            }
        }
        state
    }

    /// Takes a state back.
    ///
    /// # Errors
    /// The first tensor that is missing or has another shape.
    pub(super) fn restore(
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

    /// Guards against a wrong bias correction or sign: torch's own Adam is the reference.
    #[test]
    fn equals_torchs_adam() {
        use tch::nn::OptimizerConfig;
        tch::manual_seed(1);
        let start = Tensor::randn([5, 3], (Kind::Float, Device::Cpu));
        let goal = Tensor::randn([5, 3], (Kind::Float, Device::Cpu));

        let store = tch::nn::VarStore::new(Device::Cpu);
        let theirs = store.root().var_copy("x", &start);
        let mut reference = tch::nn::Adam::default().build(&store, 0.01).unwrap();

        let ours = start.copy().set_requires_grad(true);
        let parameters = BTreeMap::from([("x".to_owned(), ours.shallow_clone())]);
        let mut adam = Adam::new(&parameters, 0.0);
        for _ in 0..50 {
            reference.backward_step(&(&theirs - &goal).abs().sum(Kind::Float));
            adam.zero_grad();
            (&ours - &goal).abs().sum(Kind::Float).backward();
            adam.step(0.01, 1.0);
        }
        let difference = (&theirs - &ours).abs().max().double_value(&[]);
        assert!(difference < 1e-6, "{difference}");
    }
}
