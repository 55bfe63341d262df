//! Measuring how much the discriminators overfit, and answering it.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::adversary::{Adversary, forward_both};
use super::control::{Action, ControlState};
use super::dice::Purpose;
use super::discriminator::Discriminator;
use super::overfitting::{Overfitting, OverfittingSums, Scores};
use super::resume::Snapshot;
use super::scene::{Scenes, Shown, View};

/// What a measurement found and led to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlReport {
    /// The figures.
    pub overfitting: Overfitting,
    /// What was done.
    pub action: Action,
    /// Where the control stands now.
    pub control: ControlState,
}

impl Adversary {
    /// Scores training scenes and scenes of songs held out of the training, both with the
    /// generator's stems. The sums of several batches and ranks add up; [`control`](Self::control)
    /// answers them.
    ///
    /// Both are varied with the probability in force, since that is what the discriminators know.
    ///
    /// # Errors
    /// Shapes that do not belong together.
    pub fn measure(&self, train: &Scenes, held_out: &Scenes, draw: u64) -> Result<OverfittingSums> {
        self.check(train)?;
        self.check(held_out)?;
        let scene = || vec!["scene".to_owned()];
        let names = self.judging.iter().flat_map(|discriminator| {
            let stems = match discriminator.view {
                View::Stems => self.setting.stems.clone(),
                View::Scene => scene(),
            };
            let name = discriminator.name.to_owned();
            stems.into_iter().map(move |stem| (name.clone(), stem))
        });
        let mut sums = OverfittingSums::new(names.collect());
        let [train, held_out] =
            [train, held_out].map(|scenes| self.show(scenes, Purpose::Measure, draw));
        let mut index = 0;
        for discriminator in &self.judging {
            let stems = match discriminator.view {
                View::Stems => self.setting.stems.len(),
                View::Scene => 1,
            };
            let train = scores_by_stem(discriminator, &train, stems);
            let held_out = scores_by_stem(discriminator, &held_out, stems);
            for (train, held_out) in train.iter().zip(&held_out) {
                sums.add(index, self.config.loss.threshold(), train, held_out);
                index += 1;
            }
        }
        Ok(sums)
    }

    /// Answers what was measured, summed over batches and ranks, after `step`.
    ///
    /// # Errors
    /// None in a sound build: the weights to go back to have the shapes of those in use.
    pub fn answer(&mut self, sums: &OverfittingSums, step: u64) -> Result<ControlReport> {
        let overfitting = sums.report();
        let action = self
            .control
            .observe(&self.config.control, overfitting.r_v, step);
        match action {
            Action::Healthy => self.healthy = Snapshot::of(&self.adam),
            Action::RollBack => self
                .adam
                .restore(&self.healthy.tensors, self.healthy.updates)?,
            Action::Watch | Action::Pause => {}
        }
        Ok(ControlReport {
            overfitting,
            action,
            control: self.control.clone(),
        })
    }
}

/// A row's score is the mean over the places of each part, then over parts.
fn scores_by_stem(discriminator: &Discriminator, shown: &Shown, stems: usize) -> Vec<Scores> {
    let mut by_stem = vec![Scores::default(); stems];
    let Some(rows) = shown.rows(discriminator.view) else {
        return by_stem;
    };
    let count = rows.real.size()[0];
    let means: Vec<Tensor> = tch::no_grad(|| {
        forward_both(discriminator, &rows, &rows.real, &rows.fake)
            .iter()
            .map(|scores| scores.mean_dim(1, false, Kind::Double))
            .collect()
    });
    let means = Tensor::stack(&means, 0).mean_dim(0, false, Kind::Double); // [2 * rows]
    for row in 0..count {
        let stem = rows
            .stem
            .as_ref()
            .map_or(0, |stem| stem.int64_value(&[row]));
        if let Some(scores) = by_stem.get_mut(stem as usize) {
            scores.real.push(means.double_value(&[row]));
            scores.fake.push(means.double_value(&[count + row]));
        }
    }
    by_stem
}
