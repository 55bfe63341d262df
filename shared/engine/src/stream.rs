//! One open model: a stream's state, over weights that it shares with others.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bunri_model::device::device_name;
use bunri_model::{DeviceChoice, ScheduledSeparator, Scheduler, Separator, SharedWeights};
use bunri_stream::engine::ModelSource;
use bunri_stream::{Mode, ModelSpec, Planar, StemModel};

use crate::weights;

/// What a handle of the C interface stands for.
pub(crate) struct Stream {
    separator: ScheduledSeparator,
    weights: Arc<SharedWeights>,
    /// The stems' names, a line feed between each two; lent to the caller.
    stem_names: String,
    /// The chunk and its stems in this side's own types, kept from call to call.
    chunk: Planar,
    stems: Vec<Planar>,
}

impl Stream {
    /// Opens a model on a device, to run in a mode.
    pub(crate) fn open(source: ModelSource, device: &str, mode: Mode) -> Result<Self, String> {
        // libtorch's threads meet after every layer, and on a busy machine each meeting waits for the
        // scheduler. Measured on two busy cores, hops of 0.28 s that take a few milliseconds: half
        // of them came late with two threads, none with one. A session has many instances to share
        // out over the cores anyway.
        tch::set_num_threads(1);
        let device: DeviceChoice = device.parse().map_err(display)?;
        let weights = weights::on_device(source, device.resolve().map_err(display)?)?;
        let separator = Separator::new(Arc::clone(&weights), mode).map_err(display)?;
        let separator = ScheduledSeparator::new(separator, scheduler()?);
        let ModelSpec {
            channels,
            chunk_frames,
            stems,
            ..
        } = separator.spec();
        Ok(Self {
            stem_names: stems.join("\n"),
            chunk: Planar::zeros(*channels, *chunk_frames),
            stems: vec![Planar::zeros(*channels, *chunk_frames); stems.len()],
            separator,
            weights,
        })
    }

    pub(crate) fn spec(&self) -> &ModelSpec {
        self.separator.spec()
    }

    pub(crate) fn stem_names(&self) -> &str {
        &self.stem_names
    }

    /// The weights that it shares with others.
    pub(crate) fn weights(&self) -> &SharedWeights {
        &self.weights
    }

    /// Where it runs now.
    pub(crate) fn device(&self) -> String {
        device_name(self.weights.network().device())
    }

    /// The mixture of the next chunk, to be written to.
    pub(crate) fn chunk_mut(&mut self) -> &mut Planar {
        &mut self.chunk
    }

    /// Separates the chunk written last, by itself or in time for a budget; gives all channels of the first stem, then of the second.
    pub(crate) fn separate(
        &mut self,
        budget: Option<Duration>,
    ) -> Result<impl Iterator<Item = &[f32]>, String> {
        self.separator.set_budget(budget);
        self.separator
            .separate(&self.chunk, &mut self.stems)
            .map_err(display)?;
        Ok(self.stems.iter().flat_map(Planar::channels))
    }

    pub(crate) fn reset(&mut self) {
        // The buffers are overwritten before they are read, the names never change.
        let Self {
            separator,
            weights: _,
            stem_names: _,
            chunk: _,
            stems: _,
        } = self;
        separator.reset();
    }
}

/// The process's one scheduler, started for the first stream. A core stays free for the audio.
fn scheduler() -> Result<Arc<Scheduler>, String> {
    static SCHEDULER: Mutex<Option<Arc<Scheduler>>> = Mutex::new(None);
    // A panic while starting leaves none, as it was.
    let mut scheduler = SCHEDULER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(scheduler) = &*scheduler {
        return Ok(Arc::clone(scheduler));
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let started = Scheduler::start(cores.saturating_sub(1))
        .map_err(|error| format!("no threads to separate on: {error}"))?;
    Ok(Arc::clone(scheduler.insert(started)))
}

fn display(error: impl std::fmt::Display) -> String {
    error.to_string()
}
