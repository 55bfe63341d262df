//! A model whose output can be trusted to be numbers.

use std::time::Duration;

use bunri_stream::{ModelSpec, Planar, SeparateError, StemModel};

/// Louder than this, 120 dB above full scale, no music ever was.
const ABSURD: f32 = 1.0e6;

/// Fails where its model makes NaN, infinity or absurdly much of its chunk, and resets the model:
/// its state would go on making them. So the stream goes on with the next chunk.
#[derive(Debug)]
pub(crate) struct Watched<M>(pub(crate) M);

impl<M: StemModel> StemModel for Watched<M> {
    fn spec(&self) -> &ModelSpec {
        self.0.spec()
    }

    fn separate(&mut self, chunk: &Planar, stems: &mut [Planar]) -> Result<(), SeparateError> {
        self.0.separate(chunk, stems)?;
        let samples = stems.iter().flat_map(Planar::channels).flatten();
        // Not `<= ABSURD` negated: NaN compares false either way.
        if samples.into_iter().all(|sample| sample.abs() <= ABSURD) {
            Ok(())
        } else {
            self.0.reset();
            let reason = "it made of the music what is no sound (NaN, or beyond 120 dBFS)";
            Err(SeparateError::Model(reason.into()))
        }
    }

    fn set_budget(&mut self, budget: Option<Duration>) {
        self.0.set_budget(budget);
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}
