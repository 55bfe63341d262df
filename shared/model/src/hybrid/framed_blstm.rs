//! A bidirectional LSTM that sees long inputs in overlapping frames.

use tch::Tensor;

use crate::demucs::layers::Blstm;
use crate::parameters::{LstmShape, Scope, SpecList};

/// Positions of one frame, as the reference has it in every residual branch.
const FRAME: i64 = 200;
const STRIDE: i64 = FRAME / 2;
const LAYERS: usize = 2;

/// Two-layer bidirectional LSTM with a skip around it (`BLSTM(max_steps=200, skip=True)`).
#[derive(Debug)]
pub(crate) struct FramedBlstm(Blstm);

impl FramedBlstm {
    pub(crate) fn specs(list: &mut SpecList, prefix: &str, width: usize) {
        blstm_specs(list, prefix, width, LAYERS);
    }

    pub(crate) fn new(scope: &Scope<'_>) -> Self {
        Self(Blstm::new(scope, LAYERS))
    }

    /// `[batch, width, positions]` → the same shape.
    ///
    /// Up to 200 positions at once; more in frames that overlap by half, of which the middle half
    /// is kept (at the ends of the input, all up to there).
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, width, positions) = x.size3().expect("hidden audio has three axes");
        if positions <= FRAME {
            return self.0.forward(x) + x;
        }
        let count = (positions + STRIDE - 1) / STRIDE;
        let frames = x
            .constant_pad_nd([0, (count - 1) * STRIDE + FRAME - positions])
            .unfold(2, FRAME, STRIDE) // [batch, width, count, frame]
            .permute([0, 2, 1, 3])
            .reshape([batch * count, width, FRAME]);
        let frames = self
            .0
            .forward(&frames)
            .reshape([batch, count, width, FRAME]);
        let limit = STRIDE / 2;
        let kept: Vec<Tensor> = (0..count)
            .map(|index| {
                let start = if index == 0 { 0 } else { limit };
                let end = if index == count - 1 {
                    FRAME
                } else {
                    FRAME - limit
                };
                frames.select(1, index).narrow(-1, start, end - start)
            })
            .collect();
        Tensor::cat(&kept, -1).narrow(-1, 0, positions) + x
    }
}

/// An LSTM as wide as its input, and a linear layer from both directions back to that width.
pub(crate) fn blstm_specs(list: &mut SpecList, prefix: &str, width: usize, layers: usize) {
    let shape = LstmShape {
        inputs: width,
        hidden: width,
        layers,
        is_bidirectional: true,
    };
    list.lstm(&format!("{prefix}.lstm"), shape);
    list.linear(&format!("{prefix}.linear"), width, 2 * width);
}
