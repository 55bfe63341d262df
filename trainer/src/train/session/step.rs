//! One step of a run.

use std::time::Duration;

use anyhow::Result;
use tch::Tensor;

use super::Session;
use crate::train::batches::Batches;
use crate::train::generator::{Part, StepReport};

/// What all ranks do after a step.
pub(super) struct Call {
    /// Why the run has to return to its last good state.
    pub(super) diverged: Option<String>,
    pub(super) is_interrupted: bool,
    /// Whether the state has not been saved for long.
    pub(super) is_time: bool,
}

impl Session<'_> {
    /// One batch: the generator's step and its opponent's.
    pub(super) fn step(
        &mut self,
        batches: &Batches,
        learning_rate: f64,
    ) -> Result<(StepReport, Call)> {
        let Self {
            cluster,
            config,
            generator,
            opponent,
            progress,
            ..
        } = self;
        let batch = batches.next()?.to_device(generator.network.device());
        let parts = config.optimiser.accumulate;
        let mut shown = Vec::new();
        for (index, piece) in batch.split(parts).iter().enumerate() {
            let part = Part {
                share: 1.0 / parts as f64,
                is_last: index + 1 == parts,
            };
            let further = |output: &Tensor, stems: &Tensor| match opponent {
                None => Ok(Vec::new()),
                Some(opponent) => opponent.generator_terms(piece, output, stems, progress.step),
            };
            shown.push(generator.learn_from(piece, part, cluster, further)?);
        }
        let mut report = generator.report()?;
        let call = self.decide(&mut report)?;
        if call.diverged.is_some() {
            return Ok((report, call));
        }
        let longest = self.config.optimiser.clip_grad_norm;
        (self.generator).step(learning_rate, &report, longest);
        // Of stems that are no numbers nothing can be learnt either.
        if let Some(opponent) = &mut self.opponent
            && !report.has_overflowed
        {
            let (outputs, stems): (Vec<Tensor>, Vec<Tensor>) = shown.into_iter().unzip();
            let (output, stems) = (Tensor::cat(&outputs, 0), Tensor::cat(&stems, 0));
            let step = self.progress.step;
            opponent.learn(&batch, &output, &stems, step, self.cluster, &mut report)?;
        }
        Ok((report, call))
    }

    /// What all ranks do next, decided on figures that all of them have.
    fn decide(&mut self, report: &mut StepReport) -> Result<Call> {
        let minutes = self.config.validation.save_every_minutes;
        let is_time = self.saved.elapsed() >= Duration::from_secs_f64(60.0 * minutes);
        let flags = [self.interruption.is_asked(), is_time];
        let own = [report.loss, report.distance]
            .into_iter()
            .chain(report.losses.values().copied());
        let own: Vec<f64> = own
            .chain(flags.map(|flag| f64::from(u8::from(flag))))
            .collect();
        let sums = self.cluster.sum_figures(&own)?;
        let (losses, flags) = sums.split_at(own.len() - flags.len());
        let world = self.cluster.world() as f64;
        report.loss = losses[0] / world;
        report.distance = losses[1] / world;
        for (loss, sum) in report.losses.values_mut().zip(&losses[2..]) {
            *loss = sum / world;
        }
        let step = self.progress.step;
        let watch = &mut self.progress.guard;
        Ok(Call {
            diverged: if report.has_overflowed {
                None
            } else {
                watch.look(&self.config.guard, step, report.distance, report.grad_norm)
            },
            is_interrupted: flags[0] > 0.0,
            is_time: flags[1] > 0.0,
        })
    }
}
