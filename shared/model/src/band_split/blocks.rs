//! What was heard, and what sounds beside it: one LSTM over time, one over bands.

use tch::Tensor;

use super::TimeContext;
use super::bands::Norm;
use crate::causal::{Carry, Lstm};
use crate::parameters::Scope;

/// A linear layer.
#[derive(Debug)]
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn new(scope: &Scope<'_>) -> Self {
        let scope = scope.at("linear");
        Self {
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// An LSTM that goes both ways and carries nothing: all of its positions are there.
#[derive(Debug)]
struct BothWays {
    weights: Vec<Tensor>,
    hidden: i64,
}

impl BothWays {
    fn new(scope: &Scope<'_>, hidden: usize) -> Self {
        Self {
            weights: scope.lstm("lstm", 1, true),
            hidden: hidden as i64,
        }
    }

    /// `[rows, positions, features]` → `[rows, positions, 2 * hidden]`.
    fn forward(&self, x: &Tensor) -> Tensor {
        let zeros = || Tensor::zeros([2, x.size()[0], self.hidden], (x.kind(), x.device()));
        let (y, _, _) = x.lstm(
            &[zeros(), zeros()],
            &self.weights,
            true,
            1,
            0.0,
            true,
            true,
            true,
        );
        y
    }
}

/// The layer over time.
#[derive(Debug)]
enum OverTime {
    Past(Lstm),
    Whole(BothWays),
}

impl OverTime {
    fn new(scope: &Scope<'_>, hidden: usize, context: TimeContext) -> Self {
        match context {
            TimeContext::Past => Self::Past(Lstm::new(scope, "lstm", 1)),
            TimeContext::Whole => Self::Whole(BothWays::new(scope, hidden)),
        }
    }

    fn run(&self, carry: &mut Carry, rows: &Tensor) -> Tensor {
        match self {
            Self::Past(lstm) => lstm.run(carry, rows),
            Self::Whole(lstm) => lstm.forward(rows),
        }
    }
}

/// Two residual layers; every band shares their weights.
#[derive(Debug)]
pub(super) struct Block {
    time_norm: Norm,
    time: OverTime,
    time_linear: Linear,
    bands_norm: Norm,
    bands: BothWays,
    bands_linear: Linear,
}

impl Block {
    pub(super) fn new(root: &Scope<'_>, block: usize, hidden: usize, context: TimeContext) -> Self {
        let scope = root.at("blocks").at(block);
        let (time, bands) = (scope.at("time"), scope.at("bands"));
        Self {
            time_norm: Norm::new(&time),
            time: OverTime::new(&time, hidden, context),
            time_linear: Linear::new(&time),
            bands_norm: Norm::new(&bands),
            bands: BothWays::new(&bands, hidden),
            bands_linear: Linear::new(&bands),
        }
    }

    /// `[batch, spectra, bands, features]` → the same shape.
    pub(super) fn run(&self, carry: &mut Carry, x: &Tensor) -> Tensor {
        let (batch, spectra, bands, _) = x.size4().expect("features have four axes");
        let rows = self.time_norm.forward(x).transpose(1, 2).flatten(0, 1); // [batch * bands, spectra, features]
        let heard = self.time_linear.forward(&self.time.run(carry, &rows));
        let x = x + heard.reshape([batch, bands, spectra, -1]).transpose(1, 2); // [batch, spectra, bands, features]
        let rows = self.bands_norm.forward(&x).flatten(0, 1); // [batch * spectra, bands, features]
        let beside = self.bands_linear.forward(&self.bands.forward(&rows));
        &x + beside.reshape_as(&x)
    }
}
