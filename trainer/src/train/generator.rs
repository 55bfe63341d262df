//! The network that separates, and one step of its optimiser.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use bunri_libtorch::backward;
use bunri_model::network::center_trim;
use bunri_model::{Precision, Trainable};
use tch::{Device, Kind, Tensor};

use super::adam::Adam;
use super::batches::Batch;
use super::beginning::begun;
use super::loss_scale::LossScale;
use super::{AdamConfig, ComputeConfig, TrainConfig};
use crate::distributed::{Cluster, Reducer};
use crate::losses::{Balancer, LossConfig, Reconstruction, Term};

/// What one step did.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepReport {
    /// The weighted sum of all losses.
    pub(crate) loss: f64,
    /// The same of reconstruction's alone: an adversarial loss may have either sign.
    pub(crate) distance: f64,
    /// Each loss by name, without its weight.
    pub(crate) losses: BTreeMap<String, f64>,
    /// Length of the gradient before clipping.
    pub(crate) grad_norm: f64,
    /// The gradient was too large for half precision: the step moves nothing, and the next one's
    /// loss is scaled less.
    pub(crate) has_overflowed: bool,
}

/// Losses of a step's parts where they were computed: a GPU is waited for when they are read, which
/// is once a step.
#[derive(Debug, Default)]
struct Readings {
    labels: Vec<Label>,
    values: Vec<Tensor>,
}

/// What a value is.
#[derive(Debug)]
struct Label {
    name: String,
    /// In the whole.
    weight: f64,
    /// Of the step.
    share: f64,
    is_reconstruction: bool,
}

impl Readings {
    fn add(&mut self, term: &Term, share: f64, is_reconstruction: bool) {
        self.labels.push(Label {
            name: term.name.clone(),
            weight: term.weight,
            share,
            is_reconstruction,
        });
        self.values.push(term.value.detach());
    }

    /// All losses and `length`, read at once.
    fn take(&mut self, length: Tensor) -> Result<(StepReport, f64)> {
        let Self { labels, values } = std::mem::take(self);
        let all: Vec<Tensor> = values.into_iter().chain([length]).collect();
        let mut figures = Vec::<f64>::try_from(Tensor::stack(&all, 0).to_kind(Kind::Double))?;
        let length = figures.pop().unwrap_or(f64::NAN);
        let mut report = StepReport::default();
        for (label, value) in labels.into_iter().zip(figures) {
            let part = label.weight * value * label.share;
            report.loss += part;
            if label.is_reconstruction {
                report.distance += part;
            }
            *report.losses.entry(label.name).or_default() += value * label.share;
        }
        Ok((report, length))
    }
}

/// A piece of a rank's batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Of the rank's batch, 0 to 1.
    pub(crate) share: f64,
    /// Whether the step's gradient is complete with it.
    pub(crate) is_last: bool,
}

/// Network, losses and optimiser.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) network: Box<dyn Trainable>,
    pub(crate) adam: Adam,
    pub(crate) balancer: Balancer,
    reducer: Reducer,
    reconstruction: Reconstruction,
    is_balanced: bool,
    readings: Readings,
    compute: ComputeConfig,
    /// Of use in half precision only.
    pub(crate) loss_scale: LossScale,
}

impl Generator {
    /// With random weights, or with those of the checkpoint `init`; rank 0's on every rank.
    pub(crate) fn new(
        config: &TrainConfig,
        init: Option<&Path>,
        device: Device,
        cluster: &Cluster,
    ) -> Result<Self> {
        let network = begun(&config.model, config.seed as i64, init, device)?;
        let adam = config.optimiser.adam();
        Self::of(network, adam, &config.loss, &config.compute, cluster)
    }

    /// Around a network, whose parameters will require gradients.
    pub(crate) fn of(
        network: Box<dyn Trainable>,
        adam: AdamConfig,
        loss: &LossConfig,
        compute: &ComputeConfig,
        cluster: &Cluster,
    ) -> Result<Self> {
        let parameters: Vec<Tensor> = (network.parameters().values())
            .map(|parameter| parameter.set_requires_grad(true))
            .collect();
        cluster.broadcast(&parameters)?;
        Ok(Self {
            reducer: Reducer::new(cluster, &parameters, false)?,
            adam: Adam::new(network.parameters(), adam),
            reconstruction: Reconstruction::new(loss.clone(), network.device()),
            balancer: Balancer::default(),
            is_balanced: loss.balance,
            readings: Readings::default(),
            compute: compute.clone(),
            loss_scale: LossScale::default(),
            network,
        })
    }

    /// Adds the gradient of one part of the rank's batch, `share` of it, to the parameters'; after
    /// the last part they hold the averages over all ranks. `further` gives losses beside those of
    /// reconstruction, from the output `[batch, stems, channels, frames]`, a leaf that requires a
    /// gradient, and the true stems.
    ///
    /// Returns the output, detached, with the true stems of the same frames.
    pub(crate) fn learn_from(
        &mut self,
        batch: &Batch,
        Part { share, is_last }: Part,
        cluster: &Cluster,
        further: impl FnOnce(&Tensor, &Tensor) -> Result<Vec<Term>>,
    ) -> Result<(Tensor, Tensor)> {
        // [batch, stems, channels, output frames]
        let estimates = self.compute.forward(&*self.network, &batch.mixture);
        let stems = center_trim(&batch.stems, estimates.size()[3]);
        let output = estimates.detach().set_requires_grad(true);
        let mut terms = self.reconstruction.terms(&output, &stems, &batch.usable);
        let distances = terms.len();
        terms.extend(further(&output, &stems)?);
        let gradient = if self.is_balanced {
            let mean = |lengths: Vec<f64>| {
                let sums = cluster.sum_figures(&lengths)?;
                Ok(sums
                    .iter()
                    .map(|sum| sum / cluster.world() as f64)
                    .collect())
            };
            self.balancer.gradient(&terms, &output, mean)?
        } else {
            let weighted = terms.iter().map(|term| &term.value * term.weight);
            let sum: Tensor = weighted.sum();
            Tensor::run_backward(&[sum], &[&output], false, false).swap_remove(0)
        };
        for (index, term) in terms.iter().enumerate() {
            self.readings.add(term, share, index < distances);
        }
        // Scaled from here on through the network: the losses themselves are in 32 bits.
        let gradient = gradient * (share * self.scale());
        if is_last {
            self.reducer.backward(cluster, &estimates, &gradient)?;
        } else {
            backward(&estimates, &gradient)?;
        }
        Ok((output.detach(), stems))
    }

    /// What the gradients are multiplied by until the optimiser divides by it.
    fn scale(&self) -> f64 {
        if self.compute.precision == Precision::F16 {
            self.loss_scale.factor
        } else {
            1.0
        }
    }

    /// What the parts since the last step came to; the same gradient on all ranks. Waits for a GPU
    /// to have computed them.
    pub(crate) fn report(&mut self) -> Result<StepReport> {
        let (mut report, length) = self.readings.take(self.adam.grad_norm())?;
        report.grad_norm = length / self.scale();
        if self.compute.precision == Precision::F16 {
            report.has_overflowed = !length.is_finite() && self.loss_scale.can_fall();
            let skipped = f64::from(u8::from(report.has_overflowed));
            report.losses.insert("scale/factor".into(), self.scale());
            report.losses.insert("scale/skipped".into(), skipped);
        }
        Ok(report)
    }

    /// Moves the weights along the gradients that were added since the last step, shortened to
    /// `longest` where that is above 0; where `report` says that they overflowed, only the scale.
    pub(crate) fn step(&mut self, learning_rate: f64, report: &StepReport, longest: f64) {
        if report.has_overflowed {
            self.loss_scale.overflowed();
        } else {
            let clip = if longest > 0.0 && report.grad_norm > longest {
                report.grad_norm / longest
            } else {
                1.0
            };
            self.adam.step(learning_rate, self.scale() * clip);
            if self.compute.precision == Precision::F16 {
                self.loss_scale.went_well();
            }
        }
        self.adam.forget_gradients();
    }

    /// Takes a state back that was saved after `step` steps.
    ///
    /// # Errors
    /// The first tensor that is missing or has another shape.
    pub(crate) fn restore(
        &mut self,
        state: &BTreeMap<String, Tensor>,
        step: u64,
        loss_scale: LossScale,
        balancer: Balancer,
    ) -> Result<()> {
        // What overflowed is no step of the optimiser.
        self.adam
            .restore(state, step - loss_scale.skipped.min(step))?;
        // A step that was given up may have left gradients, and losses.
        self.adam.forget_gradients();
        self.readings = Readings::default();
        self.loss_scale = loss_scale;
        self.balancer = balancer;
        Ok(())
    }

    /// A copy to validate and ship: the average of the weights where one is kept.
    pub(crate) fn shipped(&self) -> Result<Box<dyn Trainable>> {
        let weights = self.adam.shipped_weights();
        Ok(self
            .network
            .config()
            .build(weights, self.network.device())?)
    }
}

#[cfg(test)]
mod tests {
    use bunri_model::{DemucsConfig, NetworkConfig};

    use super::*;

    /// A tiny Demucs with an LSTM, the same one each time.
    fn generator(compute: &ComputeConfig) -> Generator {
        let config = NetworkConfig::Demucs(DemucsConfig {
            depth: 2,
            segment_frames: 1000,
            ..DemucsConfig::v1(4)
        });
        let network = config.untrained(3, Device::Cpu).unwrap();
        let (adam, loss) = (AdamConfig::default(), LossConfig::default());
        Generator::of(network, adam, &loss, compute, &Cluster::alone()).unwrap()
    }

    fn compute(precision: Precision, recompute: bool) -> ComputeConfig {
        ComputeConfig {
            precision,
            recompute,
            ..ComputeConfig::default()
        }
    }

    fn batch() -> Batch {
        tch::manual_seed(5);
        let stems = Tensor::randn([2, 4, 2, 1236], (Kind::Float, Device::Cpu)) * 0.1;
        Batch {
            mixture: stems.sum_dim_intlist(1, false, Kind::Float),
            usable: Tensor::ones([2, 4], (Kind::Float, Device::Cpu)),
            stems,
        }
    }

    fn learn(generator: &mut Generator, batch: &Batch) -> StepReport {
        learn_with(generator, batch, |_| Vec::new())
    }

    /// With losses beside those of reconstruction.
    fn learn_with(
        generator: &mut Generator,
        batch: &Batch,
        further: impl FnOnce(&Tensor) -> Vec<Term>,
    ) -> StepReport {
        let whole = Part {
            share: 1.0,
            is_last: true,
        };
        let further = |output: &Tensor, _: &Tensor| Ok(further(output));
        let _ = (generator.learn_from(batch, whole, &Cluster::alone(), further)).unwrap();
        generator.report().unwrap()
    }

    /// Of all parameters, one after another.
    fn gradients(generator: &Generator) -> Tensor {
        let parameters = generator.network.parameters().values();
        let flat: Vec<Tensor> = parameters.map(|p| p.grad().flatten(0, -1)).collect();
        Tensor::cat(&flat, 0)
    }

    fn weights(generator: &Generator) -> Tensor {
        let parameters = generator.network.parameters().values();
        let flat: Vec<Tensor> = parameters.map(|p| p.detach().flatten(0, -1)).collect();
        Tensor::cat(&flat, 0)
    }

    fn relative(error: &Tensor, of: &Tensor) -> f64 {
        (error.norm() / of.norm()).double_value(&[])
    }

    /// Guards a training from being taken for diverged because its adversarial loss crosses zero.
    #[test]
    fn further_losses_do_not_count_as_distance() {
        let further = |output: &Tensor| {
            vec![Term {
                name: "adversarial".into(),
                weight: 2.0,
                value: output.mean(Kind::Float) * 0.0 - 3.0,
            }]
        };
        let mut generator = generator(&ComputeConfig::default());
        let report = learn_with(&mut generator, &batch(), further);
        assert!(report.distance > 0.0);
        assert!((report.loss - (report.distance - 6.0)).abs() < 1e-6);
    }

    /// Guards against casts that cut the gradient off, a scale that is not divided out again, and
    /// losses or weights in 16 bits.
    #[test]
    fn networks_learn_in_16_bits_as_in_32() {
        let batch = batch();
        let lasts = [Precision::F32, Precision::Bf16, Precision::F16].map(|precision| {
            let mut generator = generator(&compute(precision, false));
            let mut losses = Vec::new();
            for _ in 0..30 {
                let report = learn(&mut generator, &batch);
                assert!(!report.has_overflowed, "{precision}");
                generator.step(1e-2, &report, 0.0);
                losses.push(report.loss);
            }
            let last = losses[losses.len() - 1];
            assert!(last < 0.99 * losses[0], "{precision}: {losses:?}");
            assert_eq!(weights(&generator).kind(), Kind::Float);
            last
        });
        // 30 steps with 8 significant bits: near, but other arithmetic.
        for (last, bits) in lasts[1..].iter().zip(["bf16", "f16"]) {
            let off = (last / lasts[0] - 1.0).abs();
            assert!(off < 0.05, "{bits}: {last} against {}", lasts[0]);
            assert!(off > 0.0, "{bits}: it was not used");
        }
    }

    /// Guards against a step that an overflow has spoilt, a scale that never falls, and an optimiser
    /// that counts steps it has not taken.
    #[test]
    fn an_overflow_moves_nothing_but_the_scale() {
        let batch = batch();
        let mut generator = generator(&compute(Precision::F16, false));
        generator.loss_scale.factor = 2f64.powi(60);
        let start = weights(&generator);
        let mut skipped = 0;
        loop {
            let report = learn(&mut generator, &batch);
            generator.step(1e-3, &report, 1.0);
            if !report.has_overflowed {
                assert!(report.grad_norm.is_finite());
                break;
            }
            skipped += 1;
            assert_eq!(generator.loss_scale.factor, 2f64.powi(60 - skipped));
            assert_eq!(weights(&generator), start);
        }
        assert!(skipped > 20, "{skipped}");
        assert_eq!(generator.adam.step, 1);
        assert_ne!(weights(&generator), start);

        // As a resumed run finds it.
        let state = generator.adam.state().into_iter().collect();
        let (scale, balancer) = (generator.loss_scale.clone(), Balancer::default());
        let steps = skipped as u64 + 1;
        generator.restore(&state, steps, scale, balancer).unwrap();
        assert_eq!(generator.adam.step, 1);
    }

    /// Guards against a run that skips all of its steps for ever where the training itself diverged.
    #[test]
    fn what_is_not_finite_without_a_scale_is_no_overflow() {
        let mut batch = batch();
        batch.mixture *= f64::INFINITY;
        let mut generator = generator(&compute(Precision::F16, false));
        generator.loss_scale.factor = 1.0;
        let report = learn(&mut generator, &batch);
        assert!(!report.has_overflowed && !report.grad_norm.is_finite());
    }

    /// Guards against gradients that are lost, doubled, or computed in another precision, where
    /// layers are computed again.
    #[test]
    fn layers_computed_again_have_the_same_gradients() {
        let batch = batch();
        for precision in [Precision::F32, Precision::Bf16] {
            let [kept, again] = [false, true].map(|recompute| {
                let mut generator = generator(&compute(precision, recompute));
                let report = learn(&mut generator, &batch);
                (report.loss, gradients(&generator))
            });
            assert_eq!(kept.0, again.0, "{precision}");
            let error = relative(&(&again.1 - &kept.1), &kept.1);
            // The same arithmetic; a skip's two gradients may be added in another order, which
            // bfloat16 rounds to 8 bits.
            let tolerance = if precision == Precision::F32 {
                1e-6
            } else {
                1e-2
            };
            assert!(error < tolerance, "{precision}: {error}");
        }
    }
}
