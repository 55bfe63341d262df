//! What the adversarial part of a training is made of: the table `[adversarial]` of a run's config.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::augmentation::AugmentationConfig;
use super::control::ControlConfig;

/// Discriminators, their losses, and how they are kept from overfitting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdversarialConfig {
    /// Who judges; each kind at most once.
    pub discriminators: Vec<DiscriminatorConfig>,
    /// What they and the generator strive for.
    pub loss: LossFamily,
    /// Weight of the adversarial loss in the generator's.
    pub adversarial_weight: f64,
    /// Weight of the feature matching loss in the generator's.
    pub feature_weight: f64,
    /// Weight γ of R1, the penalty on the discriminators' slope at real stems: γ/2 times the mean
    /// squared gradient of a score.
    pub r1_weight: f64,
    /// The same at the generator's stems.
    pub r2_weight: f64,
    /// Updates from one penalty to the next, each weighted by this number (lazy regularisation,
    /// Karras et al. 2020).
    pub penalty_every: u64,
    /// Share of steps in which the discriminators learn.
    pub update_probability: f64,
    /// Learning rate of the discriminators' Adam.
    pub learning_rate: f64,
    /// Its betas.
    pub betas: [f64; 2],
    /// The step at which the discriminators begin to learn; before it the generator trains alone.
    pub start_step: u64,
    /// Steps that they learn for before the generator hears of them: the slopes of untrained ones
    /// are noise, and would only undo what the generator has learned so far.
    pub head_start_steps: u64,
    /// Seconds of each segment that are judged, drawn anew in every step; 0 judges all of it.
    pub crop_seconds: f64,
    /// How what is judged is varied, with the probability that the control finds.
    pub augmentation: AugmentationConfig,
    /// How overfitting is answered.
    pub control: ControlConfig,
}

impl Default for AdversarialConfig {
    fn default() -> Self {
        Self {
            discriminators: vec![
                DiscriminatorConfig::Spectral(SpectralConfig::default()),
                DiscriminatorConfig::Periods(PeriodsConfig::default()),
                DiscriminatorConfig::Context(SpectralConfig::context()),
            ],
            loss: LossFamily::Relativistic,
            adversarial_weight: 1.0,
            feature_weight: 1.0,
            r1_weight: 1.0,
            r2_weight: 1.0,
            penalty_every: 16,
            update_probability: 1.0,
            learning_rate: 2e-4,
            betas: [0.5, 0.99],
            start_step: 0,
            head_start_steps: 200,
            crop_seconds: 0.0,
            augmentation: AugmentationConfig::default(),
            control: ControlConfig::default(),
        }
    }
}

/// One discriminator. All are conditioned on the mixture; all but `context` judge stem by stem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DiscriminatorConfig {
    /// Complex spectrograms of several windows, in the way of EnCodec.
    Spectral(SpectralConfig),
    /// Every n-th sample side by side, for several n, in the way of HiFi-GAN.
    Periods(PeriodsConfig),
    /// The waveform at several rates, in the way of MelGAN.
    Waveform(WaveformConfig),
    /// As `spectral`, over the mixture and all stems at once: hears what went to the wrong stem.
    Context(SpectralConfig),
}

/// Sizes of a spectral discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpectralConfig {
    /// Window lengths in frames, one part each; they hop by a quarter.
    pub windows: Vec<i64>,
    /// Channels of every convolution.
    pub filters: i64,
    /// Power that magnitudes are raised to, the phases kept; 1 leaves spectra as they are.
    pub compression: f64,
}

impl Default for SpectralConfig {
    fn default() -> Self {
        Self {
            windows: vec![4096, 2048, 1024, 512, 256],
            filters: 32,
            compression: 0.5,
        }
    }
}

impl SpectralConfig {
    /// The context discriminator that is used where none is described.
    #[must_use]
    pub fn context() -> Self {
        Self {
            windows: vec![4096, 1024],
            ..Self::default()
        }
    }
}

/// Sizes of a multi-period discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeriodsConfig {
    /// Periods in frames, one part each; primes overlap least.
    pub periods: Vec<i64>,
    /// Channels of the convolutions.
    pub channels: Vec<i64>,
}

impl Default for PeriodsConfig {
    fn default() -> Self {
        Self {
            periods: vec![2, 3, 5, 7, 11],
            channels: vec![32, 128, 512, 1024, 1024],
        }
    }
}

/// Sizes of a multi-scale waveform discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WaveformConfig {
    /// Parts: the first at the full rate, each next one at half the rate of the one before.
    pub scales: usize,
    /// Channels of the convolutions; each after the first takes every fourth position.
    pub channels: Vec<i64>,
}

impl Default for WaveformConfig {
    fn default() -> Self {
        Self {
            scales: 3,
            channels: vec![16, 64, 256, 1024],
        }
    }
}

/// What discriminators and generator strive for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossFamily {
    /// Scores above 1 for real stems and below -1 for others (Lim & Ye 2017).
    Hinge,
    /// Scores of 1 for real stems and 0 for others (Mao et al. 2017).
    LeastSquares,
    /// Real stems score higher than the generator's of the same mixture (R3GAN, Huang et al. 2024);
    /// wants both penalties.
    #[default]
    Relativistic,
}

impl DiscriminatorConfig {
    /// The kind, as in a config.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Spectral(_) => "spectral",
            Self::Periods(_) => "periods",
            Self::Waveform(_) => "waveform",
            Self::Context(_) => "context",
        }
    }

    fn validate(&self) -> Result<()> {
        let name = self.name();
        let positive = |values: &[i64], field: &str| {
            ensure!(
                !values.is_empty() && values.iter().all(|&value| value > 0),
                "adversarial: {name}.{field} must be a list of numbers above 0, it is {values:?}"
            );
            Ok(())
        };
        match self {
            Self::Spectral(config) | Self::Context(config) => {
                positive(&config.windows, "windows")?;
                positive(&[config.filters], "filters")?;
                ensure!(
                    config.windows.iter().all(|window| window % 4 == 0),
                    "adversarial: {name}.windows must be multiples of 4, they are {:?}",
                    config.windows
                );
                ensure!(
                    config.compression > 0.0 && config.compression <= 1.0,
                    "adversarial: {name}.compression is {}, it must be above 0 and at most 1",
                    config.compression
                );
            }
            Self::Periods(config) => {
                positive(&config.periods, "periods")?;
                positive(&config.channels, "channels")?;
            }
            Self::Waveform(config) => {
                positive(&config.channels, "channels")?;
                ensure!(
                    (1..=8).contains(&config.scales),
                    "adversarial: waveform.scales is {}, it must be 1 to 8",
                    config.scales
                );
            }
        }
        Ok(())
    }
}

impl AdversarialConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// The first field that is out of its range, with its value.
    pub fn validate(&self) -> Result<()> {
        ensure!(
            !self.discriminators.is_empty(),
            "adversarial.discriminators is empty: list one or leave [adversarial] out"
        );
        for (index, discriminator) in self.discriminators.iter().enumerate() {
            discriminator.validate()?;
            let name = discriminator.name();
            ensure!(
                self.discriminators[..index]
                    .iter()
                    .all(|other| other.name() != name),
                "adversarial.discriminators lists {name} twice: give one of them all its sizes"
            );
        }
        let at_least_0 = [
            ("adversarial_weight", self.adversarial_weight),
            ("feature_weight", self.feature_weight),
            ("r1_weight", self.r1_weight),
            ("r2_weight", self.r2_weight),
            ("crop_seconds", self.crop_seconds),
        ];
        for (field, value) in at_least_0 {
            ensure!(
                value >= 0.0 && value.is_finite(),
                "adversarial.{field} is {value}, it must be at least 0"
            );
        }
        ensure!(
            self.penalty_every > 0,
            "adversarial.penalty_every must be at least 1; set r1_weight and r2_weight to 0 for \
             no penalty"
        );
        ensure!(
            self.update_probability > 0.0 && self.update_probability <= 1.0,
            "adversarial.update_probability is {}, it must be above 0 and at most 1",
            self.update_probability
        );
        ensure!(
            self.learning_rate > 0.0,
            "adversarial.learning_rate is {}, it must be above 0",
            self.learning_rate
        );
        ensure!(
            self.betas.iter().all(|beta| (0.0..1.0).contains(beta)),
            "adversarial.betas are {:?}, they must be within 0..1",
            self.betas
        );
        self.augmentation.validate()?;
        self.control.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against fields that a config file cannot say, or may misspell.
    #[test]
    fn a_table_is_read_back_and_misspelt_fields_are_refused() {
        let text = r#"
            loss = "hinge"
            crop_seconds = 0.5

            [[discriminators]]
            kind = "spectral"
            windows = [1024]
            filters = 8

            [[discriminators]]
            kind = "context"

            [control]
            target = 0.4
        "#;
        let config: AdversarialConfig = toml::from_str(text).unwrap();
        config.validate().unwrap();
        assert_eq!(config.loss, LossFamily::Hinge);
        assert_eq!(config.discriminators[0].name(), "spectral");
        let again: AdversarialConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
        for misspelt in [
            "crop_second = 0.5",
            "[[discriminators]]\nkind = \"spectral\"\nwindow = [1024]",
            "[control]\ntargets = 1.0",
            "[augmentation]\ngain = 1.0",
        ] {
            assert!(toml::from_str::<AdversarialConfig>(misspelt).is_err());
        }
    }

    /// Guards against values that only fail an hour later, inside of libtorch.
    #[test]
    fn impossible_values_are_refused_by_name() {
        AdversarialConfig::default().validate().unwrap();
        for (text, field) in [
            ("discriminators = []", "discriminators"),
            ("penalty_every = 0", "penalty_every"),
            ("r1_weight = -1.0", "r1_weight"),
            ("update_probability = 0.0", "update_probability"),
            ("betas = [0.5, 1.0]", "betas"),
            ("[control]\npause_above = 0.1", "pause_above"),
            ("[augmentation]\ncut_out = 1.0", "cut_out"),
            (
                "[[discriminators]]\nkind = \"spectral\"\nwindows = [1023]",
                "spectral.windows",
            ),
            (
                "[[discriminators]]\nkind = \"periods\"\nchannels = []",
                "periods.channels",
            ),
            (
                "[[discriminators]]\nkind = \"context\"\n[[discriminators]]\nkind = \"context\"",
                "context twice",
            ),
        ] {
            let config: AdversarialConfig = toml::from_str(text).unwrap();
            let refused = config.validate().unwrap_err().to_string();
            assert!(refused.contains(field), "{text}: {refused}");
        }
    }
}
