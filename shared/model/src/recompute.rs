//! Memory for time in trainings: layers whose inner results are computed again for the backward pass.
//!
//! How that is done is the trainer's business, as are gradients: networks only say which of their
//! layers are worth it.

use std::cell::Cell;

use tch::Tensor;

/// A layer with its weights: what it makes of its input.
pub type Segment = Box<dyn Fn(&Tensor) -> Tensor + Send>;

/// Runs a segment so that nothing of its inside is kept.
pub type Recompute = fn(&Tensor, Segment) -> Tensor;

thread_local! {
    static RECOMPUTE: Cell<Option<Recompute>> = const { Cell::new(None) };
}

/// Sets it back, also after a panic.
struct Before(Option<Recompute>);

impl Drop for Before {
    fn drop(&mut self) {
        RECOMPUTE.set(self.0);
    }
}

/// Lets networks run their segments by `recompute` while `work` runs on this thread.
pub fn recomputing<T>(recompute: Recompute, work: impl FnOnce() -> T) -> T {
    let _before = Before(RECOMPUTE.replace(Some(recompute)));
    work()
}

/// What `layer` makes of `x`, as a segment where a training asked for it. `share` gives a layer on
/// the same weights.
pub(crate) fn through<L: Send + 'static>(
    x: &Tensor,
    layer: &L,
    share: fn(&L) -> L,
    forward: fn(&L, &Tensor) -> Tensor,
) -> Tensor {
    match RECOMPUTE.get() {
        None => forward(layer, x),
        Some(recompute) => {
            let layer = share(layer);
            recompute(x, Box::new(move |x| forward(&layer, x)))
        }
    }
}
