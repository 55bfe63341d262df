//! A model that runs inside the engine.

use std::time::Duration;

use super::{EngineError, foreign};
use crate::{ModelSpec, Planar, SeparateError, StemModel};

/// How an open model is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFacts {
    /// Where it runs now: a name from [`Engine::devices`](super::Engine::devices).
    pub device: String,
    /// What became of the device that it ran on, if it failed; a sentence for the user.
    pub notice: Option<String>,
    /// Size of the weights, which all streams of one model on one device share.
    pub weights_bytes: u64,
}

/// A model of the engine: weights shared with other streams, state of its own.
///
/// May be sent to another thread, never used on an audio thread.
#[derive(Debug)]
pub struct EngineModel {
    handle: foreign::Model,
    spec: ModelSpec,
    /// Why the latest reset failed. A model in an unknown state must not sound like a working one.
    reset_failure: Option<String>,
    budget: Option<Duration>,
}

impl EngineModel {
    pub(super) fn new(handle: foreign::Model) -> Result<Self, EngineError> {
        let spec = handle
            .spec()
            .and_then(|spec| spec.validated().map_err(|error| error.to_string()))
            .map_err(EngineError::Failed)?;
        Ok(Self {
            handle,
            spec,
            reset_failure: None,
            budget: None,
        })
    }

    /// How it is doing now. Quick; not for audio threads.
    ///
    /// # Errors
    /// [`EngineError::Failed`] with the engine's own words.
    pub fn facts(&self) -> Result<ModelFacts, EngineError> {
        self.handle.facts().map_err(EngineError::Failed)
    }
}

impl StemModel for EngineModel {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        if let Some(reason) = &self.reset_failure {
            return Err(SeparateError::Model(format!("reset failed: {reason}")));
        }
        self.spec.check_shapes(chunk, stems)?;
        self.handle
            .separate(chunk, stems, self.budget)
            .map_err(SeparateError::Model)
    }

    fn set_budget(&mut self, budget: Option<Duration>) {
        self.budget = budget;
    }

    fn reset(&mut self) {
        self.reset_failure = self.handle.reset().err();
    }
}
