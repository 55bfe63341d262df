//! A model whose output can be trusted to be numbers, and that rests where nobody listens.

use std::cell::Cell;
use std::time::Duration;

use bunri_stream::{ModelSpec, Planar, SeparateError, StemModel};

/// Louder than this, 120 dB above full scale, no music ever was.
const ABSURD: f32 = 1.0e6;

/// Fails where its model makes NaN, infinity or absurdly much of its chunk, and resets the model:
/// its state would go on making them. So the stream goes on with the next chunk.
#[derive(Debug)]
pub(crate) struct Watched<M> {
    pub(crate) model: M,
    /// Whether nobody will hear the chunks that come now. A cell, for the stream around this model
    /// lends it out for reading only.
    resting: Cell<bool>,
    /// Whether the model has missed chunks.
    missed: bool,
}

impl<M> Watched<M> {
    pub(crate) fn new(model: M) -> Self {
        Self {
            model,
            resting: Cell::new(false),
            missed: false,
        }
    }

    /// From now on, chunks are silence without the model being asked, or are separated.
    pub(crate) fn rest(&self, resting: bool) {
        self.resting.set(resting);
    }
}

impl<M: StemModel> StemModel for Watched<M> {
    fn spec(&self) -> &ModelSpec {
        self.model.spec()
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        if self.resting.get() {
            self.missed = true;
            let channels = stems.iter_mut().flat_map(Planar::channels_mut);
            channels.for_each(|channel| channel.fill(0.0));
            return Ok(());
        }
        if std::mem::take(&mut self.missed) {
            self.model.reset(); // its past is not what comes before this chunk
        }
        self.model.separate(chunk, stems)?;
        let samples = stems.iter().flat_map(Planar::channels).flatten();
        // Not `<= ABSURD` negated: NaN compares false either way.
        if samples.into_iter().all(|sample| sample.abs() <= ABSURD) {
            Ok(())
        } else {
            self.model.reset();
            let reason = "it made of the music what is no sound (NaN, or beyond 120 dBFS)";
            Err(SeparateError::Model(reason.into()))
        }
    }

    fn set_budget(&mut self, budget: Option<Duration>) {
        self.model.set_budget(budget);
    }

    fn reset(&mut self) {
        let Self {
            model,
            resting: _, // said anew before each block
            missed,
        } = self;
        model.reset();
        *missed = false;
    }
}
