//! A model that runs inside the engine.

use std::time::Duration;

use super::{EngineError, foreign};
use crate::{ModelSpec, Planar, SeparateError, StemModel};

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
