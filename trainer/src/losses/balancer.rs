//! One gradient out of several losses, each with the share that its weight says.
//!
//! Défossez et al., *High Fidelity Neural Audio Compression* (2022), section 3.4: the gradient of
//! each loss towards the network's output is divided by a running mean of its length, so that a
//! weight means a share of the step and not a factor of an unknown scale.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::Term;

/// Running mean per step.
const DECAY: f64 = 0.999;
/// Below this a gradient is noise, and its direction no help.
const SMALLEST: f64 = 1e-12;

/// Lengths of the gradients so far, by the losses' names; part of a run's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balancer {
    /// Sum and weight of the running mean: the first steps are unbiased.
    lengths: BTreeMap<String, (f64, f64)>,
}

impl Balancer {
    /// The balanced gradient towards `output`, as long as the weights' share-wise sum allows (1 for
    /// parallel gradients).
    ///
    /// The terms are functions of `output`, a leaf that requires a gradient. `mean` averages lengths
    /// over ranks: all of them must divide by the same. A GPU is waited for once.
    pub fn gradient(
        &mut self,
        terms: &[Term],
        output: &Tensor,
        mean: impl FnOnce(Vec<f64>) -> anyhow::Result<Vec<f64>>,
    ) -> anyhow::Result<Tensor> {
        let whole: f64 = terms.iter().map(|term| term.weight).sum();
        let mut gradient = output.zeros_like();
        let part = |term: &Term| {
            Tensor::run_backward(&[&term.value], &[output], true, false).swap_remove(0)
        };
        let parts: Vec<Tensor> = terms.iter().map(part).collect();
        let length = |part: &Tensor| part.square().sum(Kind::Double).sqrt();
        let lengths = Tensor::stack(&parts.iter().map(length).collect::<Vec<_>>(), 0);
        let lengths = mean(Vec::try_from(lengths)?)?;
        for ((term, part), length) in terms.iter().zip(&parts).zip(lengths) {
            let running = self.lengths.entry(term.name.clone()).or_default();
            // A length that is not finite would stay for good; the step's own check refuses it.
            if length.is_finite() {
                running.0 = running.0 * DECAY + length;
                running.1 = running.1 * DECAY + 1.0;
            }
            let usual = running.0 / running.1.max(1.0);
            gradient += part * (term.weight / whole / usual.max(SMALLEST));
        }
        Ok(gradient)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// Guards against a loss that drowns another one because its numbers are large.
    #[test]
    fn weights_are_shares_whatever_the_scale() {
        let output = Tensor::from_slice(&[0.0_f32, 0.0]).set_requires_grad(true);
        let mut balancer = Balancer::default();
        let term = |name: &str, weight, axis: i64, scale: f64| Term {
            name: name.to_owned(),
            weight,
            value: output.get(axis) * scale,
        };
        for scale in [1e6, 1.0, 1e-6] {
            let terms = [term("a", 3.0, 0, scale), term("b", 1.0, 1, 1.0 / scale)];
            let mut fresh = Balancer::default();
            let gradient = fresh.gradient(&terms, &output, Ok).unwrap();
            let [a, b] = [0, 1].map(|i| gradient.double_value(&[i]));
            assert!(
                (a - 0.75).abs() < 1e-6 && (b - 0.25).abs() < 1e-6,
                "{a} {b}"
            );
        }
        // The mean moves slowly: a sudden gradient of double length is let through as such.
        let _ = balancer
            .gradient(&[term("a", 1.0, 0, 1.0)], &output, Ok)
            .unwrap();
        let gradient = (0..100)
            .map(|_| {
                balancer
                    .gradient(&[term("a", 1.0, 0, 2.0)], &output, Ok)
                    .unwrap()
            })
            .last()
            .unwrap();
        let length = gradient.double_value(&[0]);
        assert!(length > 1.0 && length < 1.1, "{length}");
        let silence = Tensor::zeros([2], (Kind::Float, Device::Cpu));
        assert!(gradient.size() == silence.size());
    }
}
