//! The discriminators of a run with all they need: optimiser, control, and a way back.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::config::AdversarialConfig;
use super::control::ControlState;
use super::dice::{Purpose, dice};
use super::discriminator::{Discriminator, Shape};
use super::losses::{feature_distance, slope_penalty};
use super::resume::Snapshot;
use super::scene::{Rows, Scenes, Showing, Shown};
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
    pub(super) config: AdversarialConfig,
    pub(super) setting: Setting,
    /// Those that learn.
    learning: Vec<Discriminator>,
    /// The same weights, out of reach for gradients: those that judge.
    pub(super) judging: Vec<Discriminator>,
    parameters: BTreeMap<String, Tensor>,
    pub(super) adam: Adam,
    pub(super) healthy: Snapshot,
    pub(super) control: ControlState,
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
        let shown = self.show(scenes, Purpose::Judge, step);
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
        let shown = self.show(scenes, Purpose::Learn, step);
        let (loss, mut report) = self.loss(&shown);
        self.adam.zero_grad();
        loss.backward();
        let mut gradients: Vec<Tensor> = self.parameters.values().map(Tensor::grad).collect();
        average(&mut gradients)?;
        report.grad_norm = self.adam.grad_norm().double_value(&[]);
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

    #[cfg(test)]
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        self.parameters.values()
    }

    pub(super) fn check(&self, scenes: &Scenes) -> Result<()> {
        let Setting {
            stems, channels, ..
        } = &self.setting;
        scenes.check(stems.len(), *channels, self.shortest_frames())
    }

    fn crop_frames(&self) -> i64 {
        (self.config.crop_seconds * f64::from(self.setting.rate_hz)).round() as i64
    }

    /// What is seen of scenes in one step, for one purpose, with the probability in force.
    pub(super) fn show(&self, scenes: &Scenes, purpose: Purpose, step: u64) -> Shown {
        let mut rng = dice(self.setting.seed, purpose, step, self.setting.rank);
        let showing = Showing {
            augmentation: &self.config.augmentation,
            probability: self.control.probability,
            crop_frames: self.crop_frames(),
            rate_hz: self.setting.rate_hz,
        };
        showing.show(scenes, &mut rng)
    }
}

/// Each part's scores of the real rows and, after them, of the fake ones: `[2 * rows, places]`.
pub(super) fn forward_both(
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
