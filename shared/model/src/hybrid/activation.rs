//! Activations that reuse their input's memory where no gradient asks for it.

use tch::Tensor;

/// GELU (exact, by the error function).
///
/// In place when no gradient is recorded: hidden tensors have tens of megabytes, and fresh memory
/// of that size costs more than the arithmetic.
pub(crate) fn gelu(mut x: Tensor) -> Tensor {
    if x.requires_grad() {
        x.gelu("none")
    } else {
        x.gelu_("none")
    }
}

/// ReLU, in place as [`gelu`].
pub(crate) fn relu(mut x: Tensor) -> Tensor {
    if x.requires_grad() {
        x.relu()
    } else {
        x.relu_()
    }
}
