//! How libtorch computes: fewer bits, and memory.
#![allow(unsafe_code)] // The C interface of shim/training.cpp.

use std::marker::PhantomData;

use tch::Tensor;

use super::failure::{Failure, TensorPointer, checked, pointer};
use crate::Error;

/// Floats of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduced {
    /// bfloat16: the range of 32 bits, 8 significant bits.
    Bf16,
    /// Half precision: 11 significant bits, nothing above 65504 and little below 6e-5.
    F16,
}

/// The state of a thread's autocast; laid out as in the shim.
#[repr(C)]
#[derive(Clone, Copy)]
struct State {
    enabled: bool,
    kind: i8,
}

unsafe extern "C" {
    fn bunri_autocast_begin(like: TensorPointer, is_half: bool) -> State;
    fn bunri_autocast_end(like: TensorPointer, before: State);
    fn bunri_set_tf32(allowed: bool) -> Failure;
    fn bunri_keep_memory();
}

/// Ends an autocast, also when the work in it panics.
struct Autocast<'a> {
    like: &'a Tensor,
    before: State,
    /// Its state is the thread's.
    not_send: PhantomData<*mut ()>,
}

impl Drop for Autocast<'_> {
    fn drop(&mut self) {
        // SAFETY: the tensor is live; ended once, on the thread that began it.
        unsafe { bunri_autocast_end(pointer(self.like), self.before) }
    }
}

/// Runs `work` under libtorch's autocast of this thread, on the device of `like`: convolutions and
/// products in `kind`, what needs range or precision in 32 bits (torch.amp's own lists, and on CPUs
/// LSTMs). tch's autocast knows CUDA only.
pub fn autocast<T>(like: &Tensor, kind: Reduced, work: impl FnOnce() -> T) -> T {
    // SAFETY: the tensor is live.
    let before = unsafe { bunri_autocast_begin(pointer(like), kind == Reduced::F16) };
    let _ended = Autocast {
        like,
        before,
        not_send: PhantomData,
    };
    work()
}

/// Whether 32-bit products and convolutions on NVIDIA GPUs from Ampere on may round what they
/// multiply to 11 significant bits (TF32). Of the whole process; without effect on CPUs.
///
/// # Errors
/// A libtorch that was told otherwise by its newer interface.
pub fn set_tf32(allowed: bool) -> Result<(), Error> {
    // SAFETY: may be called at any time.
    checked("choosing the arithmetic of GPUs", unsafe {
        bunri_set_tf32(allowed)
    })
}

/// Lets the process keep memory that it has freed, instead of handing it back to the system and
/// asking again: a training step allocates the same large blocks again and again, and every page of
/// them comes by a fault and is zeroed. Of the whole process; glibc only.
pub fn keep_memory() {
    // SAFETY: two settings of glibc's malloc, which locks.
    unsafe { bunri_keep_memory() }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// Guards against autocast that outlives its work, above all one that panics.
    #[test]
    fn products_have_fewer_bits_inside_and_all_of_them_after() {
        let x = Tensor::ones([2, 2], (Kind::Float, Device::Cpu));
        let kind = || x.matmul(&x).kind();
        for (reduced, expected) in [(Reduced::Bf16, Kind::BFloat16), (Reduced::F16, Kind::Half)] {
            assert_eq!(autocast(&x, reduced, kind), expected);
            assert_eq!(kind(), Kind::Float);
        }
        let panics = || autocast(&x, Reduced::Bf16, || panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(kind(), Kind::Float);
    }

    /// Guards against LSTMs in 16 bits, which oneDNN computes on some processors only: on the others
    /// a training failed in its first step.
    #[test]
    fn lstms_are_in_32_bits_on_every_processor() {
        let options = (Kind::Float, Device::Cpu);
        let shapes = [vec![12, 4], vec![12, 3], vec![12], vec![12]];
        let weights = shapes.map(|shape| Tensor::ones(shape, options).set_requires_grad(true));
        for input in [Kind::Float, Kind::BFloat16, Kind::Half] {
            let x = Tensor::ones([5, 2, 4], (input, Device::Cpu));
            let start = [(); 2].map(|()| Tensor::zeros([1, 2, 3], (input, Device::Cpu)));
            for reduced in [Reduced::Bf16, Reduced::F16] {
                let (y, _, _) = autocast(&x, reduced, || {
                    x.lstm(&start, &weights, true, 1, 0.0, true, false, false)
                });
                assert_eq!(y.kind(), Kind::Float);
                y.sum(Kind::Float).backward();
            }
        }
    }
}
