//! The discriminators of a run with all they need: optimiser, control, and a way back.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::config::AdversarialConfig;
use super::control::{Action, ControlState};
use super::dice::{Purpose, dice};
use super::discriminator::{Discriminator, Shape};
use super::losses::{feature_distance, slope_penalty};
use super::overfitting::{Overfitting, OverfittingSums, Scores};
use super::scene::{Rows, Scenes, Showing, Shown, View};
use super::weights;
use crate::losses::Term;
use crate::train::AdamConfig;
use crate::train::adam::Adam;

/// What the discriminators are built for.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Channels of a mixture and of every stem.
    pub channels: usize,
    /// Names of the stems, in the model's order.
    pub stems: Vec<String>,
    /// Sample rate.
    pub rate_hz: u32,
    /// Seed of first weights and of every draw.
    pub seed: u64,
    /// This process among those that train together; 0 where it is alone.
    pub rank: u64,
    /// Where to compute.
    pub device: Device,
}

/// Averages gradients over ranks, in place; does nothing where there is one.
pub type Average<'a> = dyn FnMut(&mut [Tensor]) -> Result<()> + 'a;

/// The generator's opponent: all discriminators of a run.
#[derive(Debug)]
pub struct Adversary {
    config: AdversarialConfig,
    setting: Setting,
    /// Those that learn.
    learning: Vec<Discriminator>,
    /// The same weights, out of reach for gradients: those that judge.
    judging: Vec<Discriminator>,
    parameters: BTreeMap<String, Tensor>,
    adam: Adam,
    healthy: Snapshot,
    control: ControlState,
}

/// Weights and optimiser as they once were.
#[derive(Debug)]
struct Snapshot {
    tensors: BTreeMap<String, Tensor>,
    updates: u64,
}

impl Snapshot {
    fn of(adam: &Adam) -> Self {
        let tensors = adam.state().into_iter();
        Self {
            tensors: tensors
                .map(|(name, tensor)| (name, tensor.detach().copy()))
                .collect(),
            updates: adam.step,
        }
    }
}

/// What a resumed run needs beside the tensors of [`Adversary::state`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Updates of the discriminators.
    pub updates: u64,
    /// Updates behind the weights to go back to.
    pub healthy_updates: u64,
    /// Where the control stands.
    pub control: ControlState,
}

/// What became of one step of the discriminators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They learned.
    Updated,
    /// It is before their first step.
    NotStarted,
    /// The update probability left this step out.
    LeftOut,
    /// They pause for overfitting.
    Paused,
    /// Loss or gradient was infinite or not a number; the weights stayed as they were.
    NotFinite,
}

/// One step of the discriminators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscriminatorReport {
    /// What became of it; all below is of updates only.
    pub outcome: Outcome,
    /// Loss without penalties, by discriminator.
    pub losses: BTreeMap<String, f64>,
    /// Mean squared slope at real stems, in the updates that measure it.
    pub r1: Option<f64>,
    /// The same at the generator's.
    pub r2: Option<f64>,
    /// Length of the gradient of all discriminators together.
    pub grad_norm: f64,
}

impl DiscriminatorReport {
    fn skipped(outcome: Outcome) -> Self {
        Self {
            outcome,
            losses: BTreeMap::new(),
            r1: None,
            r2: None,
            grad_norm: 0.0,
        }
    }
}

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
    /// Untrained discriminators; equal seeds give equal weights on every rank.
    ///
    /// # Errors
    /// A config that cannot work.
    pub fn new(config: &AdversarialConfig, setting: Setting) -> Result<Self> {
        config.validate()?;
        let shape = Shape {
            channels: setting.channels as i64,
            stems: setting.stems.len() as i64,
            device: setting.device,
        };
        let build = |source: &mut super::layers::Source<'_>| -> Vec<Discriminator> {
            let configs = config.discriminators.iter();
            configs
                .map(|config| Discriminator::new(config, shape, source))
                .collect()
        };
        let mut rng = dice(setting.seed, Purpose::Weights, 0, 0);
        let mut parameters = BTreeMap::new();
        let learning = build(&mut |name, sizes, init| {
            let tensor = weights::made(sizes, &init, &mut rng)
                .to_device(setting.device)
                .set_requires_grad(true);
            parameters.insert(name.to_owned(), tensor.shallow_clone());
            tensor
        });
        let judging = build(&mut |name, _, _| parameters[name].detach());
        let adam = Adam::new(
            &parameters,
            AdamConfig {
                betas: config.betas,
                ..AdamConfig::default()
            },
        );
        let this = Self {
            healthy: Snapshot::of(&adam),
            control: ControlState::new(&config.control),
            config: config.clone(),
            setting,
            learning,
            judging,
            parameters,
            adam,
        };
        let (crop, shortest) = (this.crop_frames(), this.shortest_frames());
        ensure!(
            crop == 0 || crop >= shortest,
            "adversarial.crop_seconds is {} ({crop} frames), the discriminators need {shortest} \
             frames: crop less or take smaller windows",
            config.crop_seconds
        );
        Ok(this)
    }

    /// Number of weights, all discriminators together.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters.values().map(Tensor::numel).sum()
    }

    /// Length of the shortest segment that can be judged, in frames.
    #[must_use]
    pub fn shortest_frames(&self) -> i64 {
        let all = self.learning.iter().map(Discriminator::shortest_frames);
        all.max().unwrap_or(1)
    }

    /// Whether the generator hears of the discriminators in this step.
    #[must_use]
    pub fn is_judging(&self, step: u64) -> bool {
        step >= self.config.start_step + self.config.head_start_steps
    }

    /// Where the control stands.
    #[must_use]
    pub fn control(&self) -> &ControlState {
        &self.control
    }

    /// What the generator is to bring down besides its reconstruction losses: `adversarial` and
    /// `feature_matching`, as far as they have a weight; empty before the generator's first
    /// adversarial step. The gradient goes to `scenes.fake` alone, never to the discriminators.
    ///
    /// Go backward through the terms before [`learn`](Self::learn) moves the weights. Computes in
    /// 32-bit floats: to be called outside of autocast.
    ///
    /// # Errors
    /// Shapes that do not belong together.
    pub fn generator_terms(&self, scenes: &Scenes, step: u64) -> Result<Vec<Term>> {
        self.check(scenes)?;
        let AdversarialConfig {
            loss,
            adversarial_weight,
            feature_weight,
            ..
        } = self.config;
        if !self.is_judging(step) || (adversarial_weight == 0.0 && feature_weight == 0.0) {
            return Ok(Vec::new());
        }
        let shown = self.show(scenes, Purpose::Judge, step, self.control.probability);
        let (mut adversarial, mut features) = (Vec::new(), Vec::new());
        for discriminator in &self.judging {
            let Some(rows) = shown.rows(discriminator.view) else {
                continue;
            };
            let stem = rows.stem.as_ref();
            let real = tch::no_grad(|| discriminator.forward(&rows.real, &rows.mixture, stem));
            let fake = discriminator.forward(&rows.fake, &rows.mixture, stem);
            let mean_of_parts = |values: Vec<Tensor>| Tensor::stack(&values, 0).mean(Kind::Float);
            let parts = || real.iter().zip(&fake);
            adversarial.push(mean_of_parts(
                parts()
                    .map(|(real, fake)| loss.of_generator(&real.scores, &fake.scores))
                    .collect(),
            ));
            if feature_weight > 0.0 {
                features.push(mean_of_parts(
                    parts()
                        .map(|(real, fake)| feature_distance(real, fake))
                        .collect(),
                ));
            }
        }
        let term = |name: &str, weight: f64, values: &[Tensor]| {
            (weight > 0.0).then(|| Term {
                name: name.to_owned(),
                weight,
                // Where no stem is usable the term is still there, so that all ranks have it.
                value: if values.is_empty() {
                    scenes.fake.sum(Kind::Float) * 0.0
                } else {
                    Tensor::stack(values, 0).mean(Kind::Float)
                },
            })
        };
        Ok([
            term("adversarial", adversarial_weight, &adversarial),
            term("feature_matching", feature_weight, &features),
        ]
        .into_iter()
        .flatten()
        .collect())
    }

    /// One step of the discriminators on what the generator made of these mixtures, if it is due.
    ///
    /// # Errors
    /// Shapes that do not belong together; what `average` refuses.
    pub fn learn(
        &mut self,
        scenes: &Scenes,
        step: u64,
        average: &mut Average<'_>,
    ) -> Result<DiscriminatorReport> {
        self.check(scenes)?;
        if step < self.config.start_step {
            return Ok(DiscriminatorReport::skipped(Outcome::NotStarted));
        }
        // Drawn without the rank: all of them learn or none does.
        let mut rng = dice(self.setting.seed, Purpose::Update, step, 0);
        if !rng.random_bool(self.config.update_probability) {
            return Ok(DiscriminatorReport::skipped(Outcome::LeftOut));
        }
        if step < self.control.paused_until {
            return Ok(DiscriminatorReport::skipped(Outcome::Paused));
        }
        let shown = self.show(scenes, Purpose::Learn, step, self.control.probability);
        let (loss, mut report) = self.loss(&shown);
        self.adam.zero_grad();
        loss.backward();
        let mut gradients: Vec<Tensor> = self.parameters.values().map(Tensor::grad).collect();
        average(&mut gradients)?;
        report.grad_norm = self.adam.grad_norm();
        if report.grad_norm.is_finite() {
            self.adam.step(self.config.learning_rate, 1.0);
        } else {
            report.outcome = Outcome::NotFinite;
        }
        Ok(report)
    }

    /// The discriminators' loss with the penalties that are due.
    fn loss(&self, shown: &Shown) -> (Tensor, DiscriminatorReport) {
        let AdversarialConfig {
            loss,
            r1_weight,
            r2_weight,
            penalty_every,
            ..
        } = self.config;
        let is_due = self.adam.step.is_multiple_of(penalty_every);
        let (due_r1, due_r2) = (is_due && r1_weight > 0.0, is_due && r2_weight > 0.0);
        let mut report = DiscriminatorReport::skipped(Outcome::Updated);
        let mut total = Tensor::zeros([], (Kind::Float, self.setting.device));
        let (mut r1, mut r2) = (Vec::new(), Vec::new());
        for discriminator in &self.learning {
            let Some(rows) = shown.rows(discriminator.view) else {
                continue;
            };
            let real = rows.real.detach().set_requires_grad(due_r1);
            let fake = rows.fake.detach().set_requires_grad(due_r2);
            let count = real.size()[0];
            let verdicts = forward_both(discriminator, &rows, &real, &fake);
            let parts = verdicts.len() as f64;
            let mut value = Tensor::zeros([], (Kind::Float, self.setting.device));
            for scores in &verdicts {
                let [of_real, of_fake] = [0, count].map(|start| scores.narrow(0, start, count));
                value += loss.of_discriminator(&of_real, &of_fake) / parts;
                if due_r1 {
                    r1.push(slope_penalty(&of_real, &real));
                }
                if due_r2 {
                    r2.push(slope_penalty(&of_fake, &fake));
                }
            }
            let name = discriminator.name.to_owned();
            report.losses.insert(name, value.double_value(&[]));
            total += value;
        }
        let mut penalise = |slopes: &[Tensor], weight: f64| {
            (!slopes.is_empty()).then(|| {
                let slope = Tensor::stack(slopes, 0).mean(Kind::Float);
                total += &slope * (weight / 2.0 * penalty_every as f64);
                slope.double_value(&[])
            })
        };
        report.r1 = penalise(&r1, r1_weight);
        report.r2 = penalise(&r2, r2_weight);
        if report.losses.is_empty() {
            // Nothing usable on this rank: every weight still needs a gradient to be averaged.
            for parameter in self.parameters.values() {
                total += parameter.sum(Kind::Float) * 0.0;
            }
        }
        (total, report)
    }

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
        let [train, held_out] = [train, held_out]
            .map(|s| self.show(s, Purpose::Measure, draw, self.control.probability));
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

    /// Every tensor that a resumed run needs: `now.*` and, to go back to, `healthy.*`.
    #[must_use]
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let now = self.adam.state().into_iter();
        let healthy = self.healthy.tensors.iter();
        now.map(|(name, tensor)| (format!("now.{name}"), tensor))
            .chain(
                healthy.map(|(name, tensor)| (format!("healthy.{name}"), tensor.shallow_clone())),
            )
            .collect()
    }

    /// The numbers that belong to [`state`](Self::state).
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            updates: self.adam.step,
            healthy_updates: self.healthy.updates,
            control: self.control.clone(),
        }
    }

    /// Takes a state back.
    ///
    /// # Errors
    /// The first tensor that is missing or has another shape.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, counters: &Counters) -> Result<()> {
        let below = |prefix: &str| -> BTreeMap<String, Tensor> {
            let named = state.iter().filter_map(|(name, tensor)| {
                let name = name.strip_prefix(prefix)?;
                Some((name.to_owned(), tensor.to_device(self.setting.device)))
            });
            named.collect()
        };
        let (now, healthy) = (below("now."), below("healthy."));
        // By way of the optimiser, which refuses what does not fit.
        self.adam.restore(&healthy, counters.healthy_updates)?;
        self.healthy = Snapshot::of(&self.adam);
        self.adam.restore(&now, counters.updates)?;
        self.control = counters.control.clone();
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        self.parameters.values()
    }

    fn check(&self, scenes: &Scenes) -> Result<()> {
        let Setting {
            stems, channels, ..
        } = &self.setting;
        scenes.check(stems.len(), *channels, self.shortest_frames())
    }

    fn crop_frames(&self) -> i64 {
        (self.config.crop_seconds * f64::from(self.setting.rate_hz)).round() as i64
    }

    fn show(&self, scenes: &Scenes, purpose: Purpose, step: u64, probability: f64) -> Shown {
        let mut rng = dice(self.setting.seed, purpose, step, self.setting.rank);
        let showing = Showing {
            augmentation: &self.config.augmentation,
            probability,
            crop_frames: self.crop_frames(),
            rate_hz: self.setting.rate_hz,
        };
        showing.show(scenes, &mut rng)
    }
}

/// Each part's scores of the real rows and, after them, of the fake ones: `[2 * rows, places]`.
fn forward_both(
    discriminator: &Discriminator,
    rows: &Rows,
    real: &Tensor,
    fake: &Tensor,
) -> Vec<Tensor> {
    let twice = |tensor: &Tensor| Tensor::cat(&[tensor, tensor], 0);
    let stem = rows.stem.as_ref().map(twice);
    let audio = Tensor::cat(&[real, fake], 0);
    let verdicts = discriminator.forward(&audio, &twice(&rows.mixture), stem.as_ref());
    verdicts.into_iter().map(|verdict| verdict.scores).collect()
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
