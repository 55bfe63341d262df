//! A bidirectional LSTM for widths whose recurrent weights no cache holds.
//!
//! Position by position, every step reads all recurrent weights (64 MiB for 2048 hidden values), and
//! the time is that of the memory. Measured on one core at that width, against the LSTM that libtorch
//! uses on CPUs (oneDNN's): 1.55 times as fast for one clip, 2.1 times for a batch of four, whose
//! clips share each reading. At 1024 values there is no difference, below it oneDNN is faster.

use tch::{Device, Kind, Tensor};

/// Narrower ones are libtorch's.
const MIN_HIDDEN: i64 = 2048;

/// Whether these weights are better off here: wide, on the CPU, and not being trained.
pub(crate) fn is_worthwhile(weights: &[Tensor]) -> bool {
    let Some(recurrent) = weights.get(1) else {
        return false;
    };
    recurrent.size()[1] >= MIN_HIDDEN
        && recurrent.device() == Device::Cpu
        && recurrent.kind() == Kind::Float
        && !weights.iter().any(Tensor::requires_grad)
}

/// `[positions, batch, width]` → `[positions, batch, 2 * hidden]`, from a state of zeros.
///
/// `weights` as [`Tensor::lstm`] takes them: four for each direction of each layer.
pub(crate) fn bidirectional(x: &Tensor, weights: &[Tensor]) -> Tensor {
    let mut x = x.shallow_clone();
    for layer in weights.chunks_exact(8) {
        let (forward, backward) = layer.split_at(4);
        let backward = direction(&x.flip([0]), backward).flip([0]);
        x = Tensor::cat(&[direction(&x, forward), backward], 2);
    }
    x
}

/// `[positions, batch, width]` → `[positions, batch, hidden]`.
fn direction(x: &Tensor, weights: &[Tensor]) -> Tensor {
    let [input, recurrent, input_bias, recurrent_bias] = weights else {
        panic!(
            "an LSTM has four weights for each direction, got {}",
            weights.len()
        );
    };
    let (batch, hidden) = (x.size()[1], recurrent.size()[1]);
    let from_input = x
        .linear(input, Some(&(input_bias + recurrent_bias)))
        .transpose(1, 2)
        .contiguous(); // [positions, 4 * hidden, batch]
    let mut output = Tensor::zeros([hidden, batch], (x.kind(), x.device()));
    let mut cell = output.zeros_like();
    let positions = (0..x.size()[0]).map(|position| {
        let gates = from_input.get(position);
        let gates = if batch == 1 {
            let product = gates
                .squeeze_dim(1)
                .addmv(recurrent, &output.squeeze_dim(1));
            product.unsqueeze(1)
        } else {
            gates.addmm(recurrent, &output)
        }; // [4 * hidden, batch]: input, forget, cell, output gate
        let gate = |index: i64| gates.narrow(0, index * hidden, hidden);
        cell = gate(1).sigmoid() * &cell + gate(0).sigmoid() * gate(2).tanh();
        output = gate(3).sigmoid() * cell.tanh();
        output.shallow_clone()
    });
    let outputs: Vec<Tensor> = positions.collect();
    Tensor::stack(&outputs, 0).transpose(1, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the order of gates, directions and layers, against libtorch's own.
    #[test]
    fn equals_libtorchs_lstm() {
        tch::manual_seed(3);
        let (positions, width, hidden) = (7, 5, 6);
        let options = (Kind::Float, Device::Cpu);
        let of_layer = |width: i64| {
            let direction = || {
                [[4 * hidden, width], [4 * hidden, hidden]]
                    .map(|shape| Tensor::randn(shape, options) * 0.3)
                    .into_iter()
                    .chain((0..2).map(|_| Tensor::randn([4 * hidden], options) * 0.3))
            };
            direction().chain(direction()).collect::<Vec<_>>()
        };
        let mut weights = of_layer(width);
        weights.extend(of_layer(2 * hidden));
        for batch in [1, 3] {
            let x = Tensor::randn([positions, batch, width], options);
            let start = Tensor::zeros([4, batch, hidden], options);
            let weights_by_reference: Vec<&Tensor> = weights.iter().collect();
            let (expected, _, _) = x.lstm(
                &[&start, &start],
                &weights_by_reference,
                true,
                2,
                0.0,
                false,
                true,
                false,
            );
            let got = bidirectional(&x, &weights);
            let error = f64::try_from((got - &expected).abs().max()).unwrap();
            assert!(error < 1e-6, "batch {batch}: {error}");
            assert!(f64::try_from(expected.abs().max()).unwrap() > 0.1);
        }
        assert!(!is_worthwhile(&weights), "too narrow");
    }

    /// Guards training: what is computed here must not be chosen where gradients are wanted.
    #[test]
    fn weights_in_training_are_libtorchs() {
        let wide = |gradient| {
            let tensor = Tensor::empty([4 * MIN_HIDDEN, MIN_HIDDEN], (Kind::Float, Device::Cpu));
            let tensor = tensor.set_requires_grad(gradient);
            vec![tensor.shallow_clone(), tensor]
        };
        assert!(is_worthwhile(&wide(false)));
        assert!(!is_worthwhile(&wide(true)));
    }
}
