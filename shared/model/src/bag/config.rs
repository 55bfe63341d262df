//! Which models are in a bag, and what each has to say about each stem.

use serde::{Deserialize, Serialize};

use crate::config_error::{ConfigError, check_parameter_count, in_range};
use crate::network::{NetworkConfig, Signature};
use crate::parameters::{self, ParameterSpec, Parameters};

/// Most models in one bag; the published ones have up to four.
const MAX_MODELS: usize = 64;

/// Models of one bag and their weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BagConfig {
    /// The models; all have the same stems, channels and sample rate.
    pub models: Vec<NetworkConfig>,
    /// Weight of each model in each stem, `[models][stems]`, relative to the other models; without
    /// it, all weigh the same.
    #[serde(default)]
    pub weights: Option<Vec<Vec<f64>>>,
}

/// What the names of a model's tensors begin with.
pub(super) fn prefix(index: usize) -> String {
    format!("models.{index}.")
}

impl BagConfig {
    /// Checks every model, and that they go together.
    ///
    /// # Errors
    /// A [`ConfigError`] with the first field that is out of range, or models or weights that do not
    /// go together.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let contradiction = |text: String| Err(ConfigError::Contradiction(text));
        in_range("models", self.models.len() as f64, 1.0, MAX_MODELS as f64)?;
        for model in &self.models {
            if matches!(model, NetworkConfig::Bag(_)) {
                return contradiction("a bag within a bag: put its models into this one".into());
            }
            model.validate()?;
        }
        let first = self.models[0].signature();
        for (index, model) in self.models.iter().enumerate() {
            let signature = model.signature();
            if signature != first {
                return contradiction(format!(
                    "model {index} of the bag separates {signature:?}, model 0 {first:?}: they must \
                     be equal"
                ));
            }
        }
        if let Some(weights) = &self.weights {
            let stems = first.stems.len();
            let rows: Vec<usize> = weights.iter().map(Vec::len).collect();
            if rows != vec![stems; self.models.len()] {
                return contradiction(format!(
                    "weights are {rows:?}, must be {} rows of {stems}: one per model, with one \
                     number per stem",
                    self.models.len()
                ));
            }
            for &weight in weights.iter().flatten() {
                in_range("weights", weight, 0.0, 1e6)?;
            }
        }
        for (stem, name) in first.stems.iter().enumerate() {
            if self.total(stem) <= 0.0 {
                return contradiction(format!("no model of the bag has a weight in stem {name}"));
            }
        }
        check_parameter_count(self.parameter_count())
    }

    fn weight(&self, model: usize, stem: usize) -> f64 {
        self.weights
            .as_ref()
            .map_or(1.0, |weights| weights[model][stem])
    }

    fn total(&self, stem: usize) -> f64 {
        (0..self.models.len())
            .map(|model| self.weight(model, stem))
            .sum()
    }

    pub(super) fn stem_count(&self) -> usize {
        self.models[0].signature().stems.len()
    }

    /// Share of each model in each stem; a stem's shares add up to 1.
    pub(super) fn shares(&self) -> Vec<Vec<f64>> {
        let share = |model, stem| self.weight(model, stem) / self.total(stem);
        (0..self.models.len())
            .map(|model| {
                (0..self.stem_count())
                    .map(|stem| share(model, stem))
                    .collect()
            })
            .collect()
    }

    /// The audio that every model takes and makes.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.models[0].signature()
    }

    /// Names, shapes and initial values of all weights.
    #[must_use]
    pub fn parameter_specs(&self) -> Vec<ParameterSpec> {
        let of_model = |(index, model): (usize, &NetworkConfig)| {
            let prefix = prefix(index);
            let specs = model.parameter_specs().into_iter();
            specs.map(move |spec| ParameterSpec {
                name: format!("{prefix}{}", spec.name),
                ..spec
            })
        };
        self.models.iter().enumerate().flat_map(of_model).collect()
    }

    /// Number of trained values.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        parameters::parameter_count(&self.parameter_specs())
    }

    /// New weights, other ones for each model.
    pub(crate) fn untrained(&self, seed: i64) -> Parameters {
        let mut all = Parameters::new();
        for (index, model) in self.models.iter().enumerate() {
            let prefix = prefix(index);
            let part = model.untrained_parameters(seed.wrapping_add(index as i64));
            all.extend(
                part.into_iter()
                    .map(|(name, tensor)| (format!("{prefix}{name}"), tensor)),
            );
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DemucsConfig, HTDemucsConfig};

    fn two(weights: Option<Vec<Vec<f64>>>) -> BagConfig {
        BagConfig {
            models: vec![
                NetworkConfig::HTDemucs(HTDemucsConfig::four_stems()),
                NetworkConfig::Demucs(DemucsConfig::v2(48)),
            ],
            weights,
        }
    }

    #[test]
    fn shares_of_each_stem_add_up_to_one() {
        let weights = vec![vec![1.0, 0.0, 3.0, 0.2], vec![1.0, 5.0, 1.0, 0.0]];
        let config = two(Some(weights));
        config.validate().unwrap();
        let shares = config.shares();
        assert_eq!(shares, [[0.5, 0.0, 0.75, 1.0], [0.5, 1.0, 0.25, 0.0]]);
        assert_eq!(two(None).shares(), [[0.5; 4], [0.5; 4]]);
    }

    /// Guards against a division by zero, models of different stems, and bags without end.
    #[test]
    fn models_and_weights_that_do_not_go_together_are_refused() {
        let row = vec![1.0; 4];
        for weights in [
            vec![row.clone()],
            vec![row.clone(), vec![1.0; 3]],
            vec![vec![0.0; 4], vec![0.0, 1.0, 1.0, 1.0]],
            vec![row.clone(), vec![-1.0; 4]],
            vec![row.clone(), vec![f64::NAN; 4]],
        ] {
            let config = two(Some(weights));
            assert!(config.validate().is_err(), "{config:?}");
        }
        let mut none = two(None);
        none.models.clear();
        assert!(none.validate().is_err());
        let mut other_stems = two(None);
        other_stems.models[1] = NetworkConfig::HTDemucs(HTDemucsConfig::six_stems());
        assert!(other_stems.validate().is_err());
        let mut nested = two(None);
        nested.models.push(NetworkConfig::Bag(two(None)));
        assert!(nested.validate().is_err());
    }
}
