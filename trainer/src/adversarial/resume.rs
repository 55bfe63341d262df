//! What a resumed run needs of the discriminators, and what a step back returns to.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::adversary::Adversary;
use super::control::ControlState;
use crate::train::adam::Adam;

/// Weights and optimiser as they once were.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) tensors: BTreeMap<String, Tensor>,
    pub(super) updates: u64,
}

impl Snapshot {
    pub(super) fn of(adam: &Adam) -> Self {
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

impl Adversary {
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
}
