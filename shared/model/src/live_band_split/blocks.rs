//! What was heard, and what sounds beside it: one LSTM over time, one over bands.

use tch::{Kind, Tensor};

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

/// Two residual layers; every band shares their weights.
#[derive(Debug)]
pub(super) struct Block {
    time_norm: Norm,
    time_lstm: Lstm,
    time_linear: Linear,
    bands_norm: Norm,
    bands_lstm: Vec<Tensor>,
    bands_linear: Linear,
    hidden: i64,
}

impl Block {
    pub(super) fn new(root: &Scope<'_>, block: usize, hidden: usize) -> Self {
        let scope = root.at("blocks").at(block);
        let (time, bands) = (scope.at("time"), scope.at("bands"));
        Self {
            time_norm: Norm::new(&time),
            time_lstm: Lstm::new(&time, "lstm", 1),
            time_linear: Linear::new(&time),
            bands_norm: Norm::new(&bands),
            bands_lstm: bands.lstm("lstm", 1, true),
            bands_linear: Linear::new(&bands),
            hidden: hidden as i64,
        }
    }

    /// `[batch, spectra, bands, features]` → the same shape.
    pub(super) fn run(&self, carry: &mut Carry, x: &Tensor) -> Tensor {
        let (batch, spectra, bands, _) = x.size4().expect("features have four axes");
        let rows = self.time_norm.forward(x).transpose(1, 2).flatten(0, 1); // [batch * bands, spectra, features]
        let heard = self.time_linear.forward(&self.time_lstm.run(carry, &rows));
        let x = x + heard.reshape([batch, bands, spectra, -1]).transpose(1, 2); // [batch, spectra, bands, features]
        let rows = self.bands_norm.forward(&x).flatten(0, 1); // [batch * spectra, bands, features]
        let beside = self.bands_linear.forward(&self.over_bands(&rows));
        &x + beside.reshape_as(&x)
    }

    /// `[rows, bands, features]` → `[rows, bands, 2 * hidden]`; nothing is carried, for the bands
    /// of one moment are all there.
    fn over_bands(&self, x: &Tensor) -> Tensor {
        let start = Tensor::zeros([2, x.size()[0], self.hidden], (Kind::Float, x.device()));
        let weights = &self.bands_lstm;
        let (y, _, _) = x.lstm(
            &[&start, &start],
            &weights.iter().collect::<Vec<_>>(),
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
