//! The generator's opponent in the loop: what it is shown, when it is measured, where its state goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use bunri_model::Trainable;
use bunri_model::network::center_trim;
use tch::Tensor;

use super::TrainConfig;
use super::batches::Batch;
use super::generator::StepReport;
use super::state::Progress;
use crate::adversarial::{
    AdversarialConfig, Adversary, ControlReport, Outcome, OverfittingSums, Scenes, Setting,
};
use crate::data::sampler::Sampler;
use crate::data::shard::Shard;
use crate::distributed::Cluster;
use crate::losses::Term;

/// Names of its tensors in a saved state begin with this.
const PREFIX: &str = "adversary.";

/// Discriminators with the songs that they never learn from.
#[derive(Debug)]
pub(super) struct Opponent {
    adversary: Adversary,
    held_out: Sampler,
    shard: Shard,
    batches: u64,
}

impl Opponent {
    /// For a network whose runs learn from other songs than `held_out`.
    pub(super) fn new(
        config: &TrainConfig,
        adversarial: &AdversarialConfig,
        held_out: Sampler,
        network: &dyn Trainable,
        cluster: &Cluster,
    ) -> Result<Self> {
        let signature = network.signature();
        let setting = Setting {
            channels: signature.channels,
            stems: signature.stems,
            rate_hz: signature.rate_hz,
            seed: config.seed,
            rank: cluster.rank() as u64,
            device: network.device(),
        };
        Ok(Self {
            adversary: Adversary::new(adversarial, setting)?,
            held_out,
            shard: Shard::new(config.optimiser.batch, cluster.rank(), cluster.world())?,
            batches: config.validation.measure_batches,
        })
    }

    /// What the generator is to bring down besides the distance from the truth.
    pub(super) fn generator_terms(
        &self,
        batch: &Batch,
        output: &Tensor,
        stems: &Tensor,
        step: u64,
    ) -> Result<Vec<Term>> {
        let scenes = scenes(batch, output, stems);
        self.adversary.generator_terms(&scenes, step)
    }

    /// One step of the discriminators.
    pub(super) fn learn(
        &mut self,
        batch: &Batch,
        output: &Tensor,
        stems: &Tensor,
        step: u64,
        cluster: &Cluster,
        report: &mut StepReport,
    ) -> Result<()> {
        let scenes = scenes(batch, output, stems);
        let average = &mut |gradients: &mut [Tensor]| cluster.mean(gradients);
        let learned = self.adversary.learn(&scenes, step, average)?;
        // The share of steps in which they learned: what is left out, paused or refused shows.
        let updated = f64::from(u8::from(learned.outcome == Outcome::Updated));
        (report.losses).insert("discriminator/updated".into(), updated);
        for (name, loss) in learned.losses {
            report.losses.insert(format!("discriminator/{name}"), loss);
        }
        for (name, slope) in [("r1", learned.r1), ("r2", learned.r2)] {
            if let Some(slope) = slope {
                report.losses.insert(format!("discriminator/{name}"), slope);
            }
        }
        Ok(())
    }

    /// Compares what the discriminators think of examples they learned from lately with what they
    /// think of songs they never heard, and answers overfitting.
    pub(super) fn measure(
        &mut self,
        network: &dyn Trainable,
        learned: &Arc<Sampler>,
        progress: &Progress,
        cluster: &Cluster,
    ) -> Result<ControlReport> {
        let device = network.device();
        let shown = |sampler: &Sampler, step: u64| {
            let examples = self.shard.examples(step);
            let batch = Batch::of(&examples.map(|i| sampler.example(i)).collect::<Vec<_>>());
            let batch = batch.to_device(device);
            let output = tch::no_grad(|| network.forward(&batch.mixture));
            let stems = center_trim(&batch.stems, output.size()[3]);
            scenes(&batch, &output, &stems)
        };
        let last = progress.step + progress.passed_over;
        let mut sums: Option<OverfittingSums> = None;
        for back in 0..self.batches {
            let learned = shown(learned, last.saturating_sub(1 + back));
            let held_out = shown(&self.held_out, progress.step + back);
            let part = (self.adversary).measure(&learned, &held_out, progress.step + back)?;
            match &mut sums {
                None => sums = Some(part),
                Some(sums) => sums.merge(&part),
            }
        }
        let mut sums = sums.context("validation.measure_batches is 0")?;
        let whole = cluster.sum_figures(sums.values())?;
        sums.values().copy_from_slice(&whole);
        self.adversary.answer(&sums, progress.step)
    }

    /// Adds what a resumed run needs.
    pub(super) fn save(&self, tensors: &mut Vec<(String, Tensor)>, progress: &mut Progress) {
        let state = self.adversary.state().into_iter();
        tensors.extend(state.map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor)));
        progress.adversary = Some(self.adversary.counters());
    }

    /// Takes a state back. A run that had no opponent before meets a fresh one.
    pub(super) fn restore(
        &mut self,
        tensors: &BTreeMap<String, Tensor>,
        progress: &Progress,
    ) -> Result<()> {
        let Some(counters) = &progress.adversary else {
            return Ok(());
        };
        let own = tensors.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix(PREFIX)?;
            Some((name.to_owned(), tensor.shallow_clone()))
        });
        self.adversary.restore(&own.collect(), counters)
    }
}

fn scenes(batch: &Batch, output: &Tensor, stems: &Tensor) -> Scenes {
    Scenes {
        mixture: center_trim(&batch.mixture, output.size()[3]),
        real: stems.shallow_clone(),
        fake: output.shallow_clone(),
        usable: Some(batch.usable.shallow_clone()),
    }
}
