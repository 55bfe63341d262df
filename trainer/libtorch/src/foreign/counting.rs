//! What a computation costs: operations and memory.
#![allow(unsafe_code)] // The C interface of shim/counting.cpp.

use tch::Tensor;

use super::failure::{Failure, TensorPointer, checked, pointer};
use crate::Error;

unsafe extern "C" {
    fn bunri_count_begin(handle: *mut u64) -> Failure;
    fn bunri_count_end(handle: u64) -> u64;
    fn bunri_peak_bytes(like: TensorPointer, reset: bool, bytes: *mut i64) -> Failure;
}

/// Ends a count, also when the work in it panics.
struct Count {
    handle: u64,
}

impl Drop for Count {
    fn drop(&mut self) {
        // SAFETY: the handle is of a callback that is still there. Removing it twice does nothing.
        let _ = unsafe { bunri_count_end(self.handle) };
    }
}

/// Runs `work` and counts its floating-point operations: convolutions, products of matrices and
/// recurrent layers by their shapes, a multiplication and an addition as two. Transforms, and what
/// works value by value, are not counted. On this thread, so no backward pass on a GPU.
///
/// # Errors
/// None that libtorch is known to have.
pub fn count_operations<T>(work: impl FnOnce() -> T) -> Result<(T, u64), Error> {
    let mut handle = 0;
    // SAFETY: the pointer lives as long as the call.
    checked("counting operations", unsafe {
        bunri_count_begin(&raw mut handle)
    })?;
    let count = Count { handle };
    let result = work();
    // SAFETY: as in `drop`.
    let operations = unsafe { bunri_count_end(count.handle) };
    Ok((result, operations))
}

/// The most memory in bytes that tensors held at a time on the GPU of `like` since the last call with
/// `reset`, or the start.
///
/// # Errors
/// A tensor on the CPU.
pub fn peak_bytes(like: &Tensor, reset: bool) -> Result<u64, Error> {
    let mut bytes = 0;
    // SAFETY: both pointers live as long as the call.
    checked("asking for the memory of a GPU", unsafe {
        bunri_peak_bytes(pointer(like), reset, &raw mut bytes)
    })?;
    Ok(bytes.max(0) as u64)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn zeros(shape: &[i64]) -> Tensor {
        Tensor::zeros(shape, (Kind::Float, Device::Cpu))
    }

    /// Guards the shapes that are counted by, and against layers counted twice: as themselves and as
    /// what libtorch makes of them.
    #[test]
    fn layers_cost_what_their_shapes_say() {
        let count = |work: &dyn Fn() -> Tensor| count_operations(work).unwrap().1;
        // 2 clips, 3 to 5 channels, kernel 8, stride 4: 100 frames become 24.
        let convolution =
            || zeros(&[2, 3, 100]).conv1d(&zeros(&[5, 3, 8]), Some(&zeros(&[5])), [4], [0], [1], 1);
        assert_eq!(count(&convolution), 2 * (2 * 24) * (5 * 3 * 8));
        // The way back meets every kernel once for every frame that goes in.
        let transposed = || {
            zeros(&[2, 5, 24]).conv_transpose1d(
                &zeros(&[5, 3, 8]),
                Some(&zeros(&[3])),
                [4],
                [0],
                [0],
                1,
                [1],
            )
        };
        assert_eq!(count(&transposed), 2 * (2 * 24) * (5 * 3 * 8));
        let linear = || zeros(&[2, 7, 6]).linear(&zeros(&[4, 6]), Some(&zeros(&[4])));
        assert_eq!(count(&linear), 2 * (2 * 7) * (4 * 6));
        let product = || zeros(&[3, 7, 6]).matmul(&zeros(&[3, 6, 2]));
        assert_eq!(count(&product), 2 * 3 * 7 * 6 * 2);
        let sum = || zeros(&[100]) + zeros(&[100]);
        assert_eq!(count(&sum), 0);
    }

    /// Guards recurrent layers, which are one operation or thousands, by device.
    #[test]
    fn lstms_meet_every_weight_once_a_position() {
        let (positions, batch, width) = (9, 2, 4);
        let state = zeros(&[2, batch, width]);
        let direction = [
            zeros(&[4 * width, width]),
            zeros(&[4 * width, width]),
            zeros(&[4 * width]),
            zeros(&[4 * width]),
        ];
        let weights: Vec<&Tensor> = direction.iter().chain(&direction).collect();
        let input = zeros(&[positions, batch, width]);
        let lstm = || {
            input
                .lstm(
                    &[&state, &state],
                    &weights,
                    true,
                    1,
                    0.0,
                    false,
                    true,
                    false,
                )
                .0
        };
        let (_, operations) = count_operations(lstm).unwrap();
        let products = 2 * 2 * (4 * width) * width; // directions, matrices
        assert_eq!(operations as i64, 2 * positions * batch * products);
    }

    #[test]
    fn a_cpu_has_no_counter_of_its_memory() {
        assert!(peak_bytes(&zeros(&[1]), false).is_err());
    }
}
