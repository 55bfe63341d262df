//! The state of one step, taken and left part by part.

use tch::Tensor;

/// Hands every part its piece of the state, in the order in which they compute, and collects what
/// they leave for the next step. Nothing of the old state is written to.
#[derive(Debug)]
pub(crate) struct Carry {
    before: std::vec::IntoIter<Tensor>,
    after: Vec<Tensor>,
}

impl Carry {
    /// At the beginning of a step.
    pub(crate) fn new(state: &[Tensor]) -> Self {
        let before: Vec<_> = state.iter().map(Tensor::shallow_clone).collect();
        Self {
            after: Vec::with_capacity(before.len()),
            before: before.into_iter(),
        }
    }

    /// The piece that this part left in the last step.
    ///
    /// # Panics
    /// If the state is not one of this network.
    pub(crate) fn take(&mut self) -> Tensor {
        self.before.next().expect("the state has a piece per part")
    }

    /// The piece for the next step; its first axis is the batch.
    pub(crate) fn leave(&mut self, piece: Tensor) {
        self.after.push(piece);
    }

    /// `x` with what came before it on `axis`: as many positions as the piece has.
    pub(crate) fn with_past(&mut self, x: &Tensor, axis: i64) -> Tensor {
        let past = self.take();
        let kept = past.size()[axis as usize];
        let joined = Tensor::cat(&[&past, x], axis);
        self.leave(joined.narrow(axis, x.size()[axis as usize], kept));
        joined
    }

    /// `x` later on `axis`, by as many positions as the piece has.
    pub(crate) fn delayed(&mut self, x: &Tensor, axis: i64) -> Tensor {
        self.with_past(x, axis)
            .narrow(axis, 0, x.size()[axis as usize])
    }

    /// The state after the step.
    ///
    /// # Panics
    /// If the state is not one of this network.
    pub(crate) fn into_state(self) -> Vec<Tensor> {
        let left_over = self.before.len();
        assert_eq!(left_over, 0, "the state has a piece per part");
        self.after
    }
}
