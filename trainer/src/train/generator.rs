//! The network that separates, and one step of its optimiser.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use bunri_model::network::center_trim;
use bunri_model::{Checkpoint, NetworkConfig, Trainable};
use tch::{Device, Kind, Tensor};

use super::adam::Adam;
use super::batches::Batch;
use super::{AdamConfig, TrainConfig};
use crate::distributed::{Cluster, Reducer};
use crate::losses::{Balancer, LossConfig, Reconstruction, Term};

/// What one step did.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepReport {
    /// The weighted sum of all losses.
    pub(crate) loss: f64,
    /// Each loss by name, without its weight.
    pub(crate) losses: BTreeMap<String, f64>,
    /// Length of the gradient before clipping.
    pub(crate) grad_norm: f64,
}

/// A piece of a rank's batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Of the rank's batch, 0 to 1.
    pub(crate) share: f64,
    /// Whether the step's gradient is complete with it.
    pub(crate) is_last: bool,
}

/// The network of `model`, with the weights of a checkpoint of that config, or of one that it can
/// grow from.
fn begun_from(
    path: &Path,
    model: &NetworkConfig,
    seed: i64,
    device: Device,
) -> Result<Box<dyn Trainable>> {
    let network = Checkpoint::load(path, device)?.network;
    let config = network.config();
    if config == *model {
        return Ok(network);
    }
    let grown = match (model, &config) {
        (NetworkConfig::BandSplit(whole), NetworkConfig::BandSplit(past)) => {
            whole.grown_from(past, network.parameters(), seed)
        }
        _ => None,
    };
    let parameters = grown.with_context(|| {
        format!(
            "--init {}: the checkpoint has another [model] config",
            path.display()
        )
    })?;
    Ok(model.clone().build(parameters, device)?)
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
}

impl Generator {
    /// With random weights, or with those of the checkpoint `init`; rank 0's on every rank.
    pub(crate) fn new(
        config: &TrainConfig,
        init: Option<&Path>,
        device: Device,
        cluster: &Cluster,
    ) -> Result<Self> {
        let seed = config.seed as i64;
        let network = match init {
            None => (config.model.clone()).untrained(seed, device)?,
            Some(path) => begun_from(path, &config.model, seed, device)?,
        };
        Self::of(network, config.optimiser.adam(), &config.loss, cluster)
    }

    /// Around a network, whose parameters will require gradients.
    pub(crate) fn of(
        network: Box<dyn Trainable>,
        adam: AdamConfig,
        loss: &LossConfig,
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
        report: &mut StepReport,
        further: impl FnOnce(&Tensor, &Tensor) -> Result<Vec<Term>>,
    ) -> Result<(Tensor, Tensor)> {
        let estimates = self.network.forward(&batch.mixture); // [batch, stems, channels, output frames]
        let stems = center_trim(&batch.stems, estimates.size()[3]);
        let output = estimates.detach().set_requires_grad(true);
        let mut terms = self.reconstruction.terms(&output, &stems, &batch.usable);
        terms.extend(further(&output, &stems)?);
        let gradient = if self.is_balanced {
            let mean = |length| Ok(cluster.sum_figures(&[length])?[0] / cluster.world() as f64);
            self.balancer.gradient(&terms, &output, mean)?
        } else {
            let weighted = terms.iter().map(|term| &term.value * term.weight);
            let sum: Tensor = weighted.sum();
            Tensor::run_backward(&[sum], &[&output], false, false).swap_remove(0)
        };
        for term in &terms {
            let value = term.value.double_value(&[]) * share;
            report.loss += term.weight * value;
            *report.losses.entry(term.name.clone()).or_default() += value;
        }
        let pull = (estimates * gradient * share).sum(Kind::Float);
        if is_last {
            self.reducer.backward(cluster, &pull)?;
        } else {
            pull.backward();
        }
        Ok((output.detach(), stems))
    }

    /// Moves the weights along the gradients that were added since the last step, shortened to
    /// `longest` where that is above 0.
    pub(crate) fn step(&mut self, learning_rate: f64, grad_norm: f64, longest: f64) {
        let scale = if longest > 0.0 && grad_norm > longest {
            longest / grad_norm
        } else {
            1.0
        };
        self.adam.step(learning_rate, scale);
        self.adam.zero_grad();
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
