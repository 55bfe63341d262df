//! A recurrent layer that goes forward in time only.

use tch::{Device, Tensor};

use super::Carry;
use crate::parameters::Scope;

/// Up to so many positions are computed cell by cell on a CPU: libtorch's LSTM repacks its weights
/// in every call, which costs more than these positions themselves.
const FEW_POSITIONS: i64 = 8;

/// Unidirectional LSTM whose hidden and cell values are carried.
#[derive(Debug)]
pub(crate) struct Lstm {
    /// Per layer: input weight, hidden weight, input bias, hidden bias.
    weights: Vec<Tensor>,
    layers: i64,
}

impl Lstm {
    pub(crate) fn new(scope: &Scope<'_>, name: &str, layers: usize) -> Self {
        Self {
            weights: scope.lstm(name, layers, false),
            layers: layers as i64,
        }
    }

    /// Two pieces, hidden and cell values, for `rows` sequences per stream.
    pub(crate) fn state_shapes(rows: usize, layers: usize, width: usize) -> [Vec<i64>; 2] {
        let shape = vec![rows as i64, layers as i64, width as i64];
        [shape.clone(), shape]
    }

    /// `[batch * rows, positions, width]` → `[batch * rows, positions, hidden]`.
    pub(crate) fn run(&self, carry: &mut Carry, x: &Tensor) -> Tensor {
        let (hidden, cell) = (carry.take(), carry.take()); // [batch, rows, layers, hidden]
        let shape = hidden.size();
        let flat = |piece: Tensor| piece.flatten(0, 1).transpose(0, 1); // [layers, batch * rows, hidden]
        let (hidden, cell) = (flat(hidden), flat(cell));
        let is_short = x.size()[1] <= FEW_POSITIONS && x.device() == Device::Cpu;
        let (y, hidden, cell) = if is_short {
            self.cells(x, &hidden, &cell)
        } else {
            let start = [hidden.contiguous(), cell.contiguous()];
            x.lstm(
                &start,
                &self.weights,
                true,
                self.layers,
                0.0,
                true,
                false,
                true,
            )
        };
        for piece in [hidden, cell] {
            carry.leave(piece.transpose(0, 1).reshape(&shape[..]));
        }
        y
    }

    fn cells(&self, x: &Tensor, hidden: &Tensor, cell: &Tensor) -> (Tensor, Tensor, Tensor) {
        let mut x = x.shallow_clone();
        let (mut last_hidden, mut last_cell) = (Vec::new(), Vec::new());
        for (layer, weights) in self.weights.chunks_exact(4).enumerate() {
            let [input_weight, hidden_weight, input_bias, hidden_bias] = weights else {
                continue;
            };
            let mut h = hidden.get(layer as i64); // [batch * rows, hidden]
            let mut c = cell.get(layer as i64);
            let width = h.size()[1];
            let hidden_weight = hidden_weight.tr();
            let inputs = x.linear(input_weight, Some(input_bias + hidden_bias)); // [.., positions, 4 * hidden]
            let outputs: Vec<Tensor> = inputs
                .unbind(1)
                .into_iter()
                .map(|input| {
                    let gates = input.addmm(&h, &hidden_weight);
                    let passes = gates.sigmoid();
                    let pass = |gate: i64| passes.narrow(1, gate * width, width);
                    let candidate = gates.narrow(1, 2 * width, width).tanh();
                    // Input, forget, (candidate,) output: torch's order.
                    c = (pass(1) * &c).addcmul(&pass(0), &candidate);
                    h = pass(3) * c.tanh();
                    h.shallow_clone()
                })
                .collect();
            x = Tensor::stack(&outputs, 1);
            last_hidden.push(h);
            last_cell.push(c);
        }
        (
            x,
            Tensor::stack(&last_hidden, 0),
            Tensor::stack(&last_cell, 0),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tch::Kind;

    use super::*;
    use crate::causal::silence;
    use crate::parameters::{LstmShape, SpecList, untrained};

    /// Guards the cells against libtorch's LSTM: order of gates, both biases, layers, state. The
    /// tolerance is float order on values below 1.
    #[test]
    fn cells_equal_libtorchs_lstm() {
        let shape = LstmShape {
            inputs: 5,
            hidden: 7,
            layers: 2,
            is_bidirectional: false,
        };
        let mut list = SpecList::default();
        list.lstm("lstm", shape);
        let parameters: BTreeMap<_, _> = untrained(&list.into_specs(), 0.0, 1);
        let lstm = Lstm::new(&Scope::root(&parameters), "lstm", 2);
        let x = Tensor::randn([6, 3 * FEW_POSITIONS, 5], (Kind::Float, Device::Cpu));
        let start = silence(&Lstm::state_shapes(3, 2, 7), 2, Device::Cpu);
        let mut carry = Carry::new(&start);
        let whole = lstm.run(&mut carry, &x);
        let whole_state = carry.into_state();
        let mut state = start;
        let parts: Vec<_> = (0..3)
            .map(|part| {
                let mut carry = Carry::new(&state);
                let x = x.narrow(1, part * FEW_POSITIONS, FEW_POSITIONS);
                let y = lstm.run(&mut carry, &x);
                state = carry.into_state();
                y
            })
            .collect();
        let difference = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        assert!(whole.abs().max().double_value(&[]) > 0.1);
        assert!(difference(&whole, &Tensor::cat(&parts, 1)) < 1e-6);
        for (whole, part) in whole_state.iter().zip(&state) {
            assert!(difference(whole, part) < 1e-6);
        }
    }
}
