//! Segments of a network whose inner results are computed again instead of kept.
#![allow(unsafe_code)] // The C interface of shim/recompute.cpp.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use tch::Tensor;

use super::failure::{Failure, Opaque, TensorPointer, made, pointer};
use crate::Error;

type Compute = unsafe extern "C" fn(*mut c_void, TensorPointer) -> *mut Opaque;
type Drop = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    fn bunri_recompute(
        input: TensorPointer,
        context: *mut c_void,
        compute: Compute,
        drop: Drop,
        out: *mut *mut Opaque,
    ) -> Failure;
}

/// A piece of a network: what it makes of its input, with weights that it holds.
pub type Segment = Box<dyn Fn(&Tensor) -> Tensor + Send>;

/// What `segment` makes of `input`. Nothing in between is kept for the backward pass, which runs the
/// segment again: memory for about a third more time (Chen et al., *Training Deep Nets with Sublinear
/// Memory Cost*, 2016).
///
/// The segment must give the same for the same input, and not write to it. It runs under the autocast
/// of this call both times.
///
/// # Errors
/// A segment that panics; in the backward pass that is its error.
pub fn recompute(input: &Tensor, segment: Segment) -> Result<Tensor, Error> {
    // Boxed twice: a pointer to a closure is two words wide.
    let context = Box::into_raw(Box::new(segment)).cast::<c_void>();
    // SAFETY: the context is a `Segment`, which `compute` reads and `drop_segment` takes back; the
    // shim calls that once.
    let output = made("computing a segment of the network", |out| unsafe {
        bunri_recompute(pointer(input), context, compute, drop_segment, out)
    })?;
    // SAFETY: a tensor that the shim made with `new`, as torch-sys makes its own; owned once.
    Ok(unsafe { Tensor::from_ptr(output.as_ptr().cast()) })
}

/// The output, whose owner the caller becomes, or null after a panic, which must not reach C++.
unsafe extern "C" fn compute(context: *mut c_void, input: TensorPointer) -> *mut Opaque {
    // SAFETY: made by `recompute`, and live until `drop_segment`; nobody writes to it.
    let segment = unsafe { &*context.cast::<Segment>() };
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: a live tensor, whose handle is copied.
        let input = unsafe { Tensor::clone_from_ptr(input.cast_mut().cast()) };
        segment(&input)
    }));
    result.map_or(ptr::null_mut(), |output| {
        let mut output = std::mem::ManuallyDrop::new(output);
        output.as_mut_ptr().cast()
    })
}

unsafe extern "C" fn drop_segment(context: *mut c_void) {
    // SAFETY: made by `recompute`, taken back once. Handles to tensors do not panic when dropped.
    drop(unsafe { Box::from_raw(context.cast::<Segment>()) });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tch::{Device, Kind};

    use super::*;
    use crate::backward;

    fn noise(shape: [i64; 2]) -> Tensor {
        Tensor::randn(shape, (Kind::Float, Device::Cpu)).set_requires_grad(true)
    }

    /// Guards the gradients of what a segment hides, of its input, and of an input that needs none.
    #[test]
    fn gradients_are_those_of_the_plain_computation() {
        tch::manual_seed(2);
        let weight = noise([3, 3]);
        let gradient = Tensor::randn([4, 3], (Kind::Float, Device::Cpu));
        for needs_gradient in [true, false] {
            let input = noise([4, 3]).detach().set_requires_grad(needs_gradient);
            let runs = Arc::new(AtomicUsize::new(0));
            let results = [false, true].map(|again| {
                crate::forget_gradients(&[input.shallow_clone(), weight.shallow_clone()]);
                let (held, counted) = (weight.shallow_clone(), Arc::clone(&runs));
                let segment = move |x: &Tensor| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    x.matmul(&held).tanh().matmul(&held)
                };
                let output = if again {
                    recompute(&input, Box::new(segment)).unwrap()
                } else {
                    segment(&input)
                };
                backward(&output, &gradient).unwrap();
                let of_input = needs_gradient.then(|| input.grad().copy());
                (output.detach(), weight.grad().copy(), of_input)
            });
            assert_eq!(results[0], results[1]);
            assert_eq!(runs.load(Ordering::Relaxed), 3, "once plain, twice again");
        }
    }

    /// Guards against a panic that unwinds through C++, and against one that is lost.
    #[test]
    fn a_segment_that_panics_is_an_error() {
        let input = noise([2, 2]);
        let error = recompute(&input, Box::new(|_| panic!("on purpose"))).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        // In the backward pass only.
        let runs = AtomicUsize::new(0);
        let segment = move |x: &Tensor| {
            assert_eq!(runs.fetch_add(1, Ordering::Relaxed), 0, "on purpose");
            x * 2.0
        };
        let output = recompute(&input, Box::new(segment)).unwrap();
        assert!(backward(&output, &output.ones_like()).is_err());
    }
}
