//! What moves weights: whole lists of tensors in one call.
#![allow(unsafe_code)] // The C interface of shim/training.cpp.

use std::ptr;

use tch::Tensor;

use super::failure::{Failure, Opaque, TensorPointer, checked, made, pointer, pointers};
use crate::Error;

unsafe extern "C" {
    fn bunri_adamw_step(
        parameters: *const TensorPointer,
        firsts: *const TensorPointer,
        seconds: *const TensorPointer,
        count: usize,
        step: TensorPointer,
        learning_rate: f64,
        beta_1: f64,
        beta_2: f64,
        weight_decay: f64,
        epsilon: f64,
        divisor: TensorPointer,
    ) -> Failure;
    fn bunri_lerp(
        averages: *const TensorPointer,
        targets: *const TensorPointer,
        count: usize,
        weight: f64,
    ) -> Failure;
    fn bunri_gradient_length(
        parameters: *const TensorPointer,
        count: usize,
        out: *mut *mut Opaque,
    ) -> Failure;
    fn bunri_forget_gradients(parameters: *const TensorPointer, count: usize);
    fn bunri_backward(output: TensorPointer, gradient: TensorPointer) -> Failure;
}

/// Constants of one step of AdamW (Loshchilov & Hutter 2019; without decay it is Adam).
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// How far a step goes.
    pub learning_rate: f64,
    /// Decay per step of the means of gradients and of their squares.
    pub betas: [f64; 2],
    /// Share of the learning rate by which weights shrink.
    pub weight_decay: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
}

/// The tensors of a step, in the same order and of the same shapes, all on one device.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    /// Leaves with gradients; those that have none stay as they are.
    pub parameters: &'a [Tensor],
    /// Running means of the gradients.
    pub firsts: &'a [Tensor],
    /// Running means of their squares.
    pub seconds: &'a [Tensor],
}

impl AdamW {
    /// One step in place, libtorch's fused kernel: one pass over memory, and nothing waits for a
    /// GPU. `step` counts steps from 1, `divisor` divides the gradients first, which then stay
    /// divided; both are 32-bit floats without axes on the parameters' device.
    ///
    /// # Errors
    /// Tensors of different shapes, kinds or devices.
    pub fn step(
        &self,
        moved: Moved<'_>,
        step: &Tensor,
        divisor: Option<&Tensor>,
    ) -> Result<(), Error> {
        let Moved {
            parameters,
            firsts,
            seconds,
        } = moved;
        let count = parameters.len();
        if firsts.len() != count || seconds.len() != count {
            return Err(Error {
                what: "a step of AdamW".to_owned(),
                reason: format!(
                    "{count} parameters, but {} and {} moments",
                    firsts.len(),
                    seconds.len()
                ),
            });
        }
        let [parameters, firsts, seconds] = [parameters, firsts, seconds].map(pointers);
        // SAFETY: all tensors live as long as the call, the three lists are of one length, and
        // `divisor` may be null.
        checked("a step of AdamW", unsafe {
            bunri_adamw_step(
                parameters.as_ptr(),
                firsts.as_ptr(),
                seconds.as_ptr(),
                count,
                pointer(step),
                self.learning_rate,
                self.betas[0],
                self.betas[1],
                self.weight_decay,
                self.epsilon,
                divisor.map_or(ptr::null(), pointer),
            )
        })
    }
}

/// Moves each of `averages` towards its target by `weight` of the way.
///
/// # Errors
/// Lists of different lengths, tensors of different shapes or devices.
pub fn move_averages(averages: &[Tensor], targets: &[Tensor], weight: f64) -> Result<(), Error> {
    let what = "moving averages";
    if averages.len() != targets.len() {
        return Err(Error {
            what: what.to_owned(),
            reason: format!("{} of them, but {} targets", averages.len(), targets.len()),
        });
    }
    let [averages, targets] = [averages, targets].map(pointers);
    // SAFETY: all tensors live as long as the call, both lists are of one length.
    checked(what, unsafe {
        bunri_lerp(averages.as_ptr(), targets.as_ptr(), averages.len(), weight)
    })
}

/// Euclidean length of the gradients of all `parameters` together, without axes, on their device:
/// nothing waits for a GPU. Parameters without a gradient count as zeros.
///
/// # Errors
/// Parameters on several devices.
pub fn gradient_length(parameters: &[Tensor]) -> Result<Tensor, Error> {
    let pointers = pointers(parameters);
    // SAFETY: the tensors live as long as the call.
    let length = made("measuring gradients", |out| unsafe {
        bunri_gradient_length(pointers.as_ptr(), pointers.len(), out)
    })?;
    // SAFETY: a tensor that the shim made with `new`, as torch-sys makes its own; owned once.
    Ok(unsafe { Tensor::from_ptr(length.as_ptr().cast()) })
}

/// Takes the gradients away: the next backward pass leaves its own in their place, where it would
/// have to add to zeros.
pub fn forget_gradients(parameters: &[Tensor]) {
    let pointers = pointers(parameters);
    // SAFETY: the tensors live as long as the call, which cannot throw.
    unsafe { bunri_forget_gradients(pointers.as_ptr(), pointers.len()) }
}

/// The backward pass from `output` on, towards which the loss has the gradient `gradient`, of the
/// same shape. Adds to the gradients of all leaves.
///
/// # Errors
/// Memory that is used up; what a hook of the pass fails of, such as a lost rank.
pub fn backward(output: &Tensor, gradient: &Tensor) -> Result<(), Error> {
    // SAFETY: both tensors live as long as the call.
    checked("the backward pass", unsafe {
        bunri_backward(pointer(output), pointer(gradient))
    })
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// Guards against parameters without a gradient: they count nothing, and do not move.
    #[test]
    fn lengths_and_steps_pass_over_what_has_no_gradient() {
        let leaf = |value: f64| {
            Tensor::full([2], value, (Kind::Float, Device::Cpu)).set_requires_grad(true)
        };
        let parameters = [leaf(1.0), leaf(2.0)];
        let length = |parameters: &[Tensor]| gradient_length(parameters).unwrap().double_value(&[]);
        assert_eq!(length(&parameters), 0.0);
        let gradient = Tensor::from_slice(&[3.0_f32, 4.0]);
        backward(&(&parameters[0] * 1.0), &gradient).unwrap();
        assert_eq!(length(&parameters), 5.0);
        let [firsts, seconds] = [(); 2].map(|()| parameters.each_ref().map(Tensor::zeros_like));
        let moved = Moved {
            parameters: &parameters,
            firsts: &firsts,
            seconds: &seconds,
        };
        let kernel = AdamW {
            learning_rate: 0.1,
            betas: [0.9, 0.999],
            weight_decay: 0.0,
            epsilon: 1e-8,
        };
        let [step, divisor] = [1.0, 8.0].map(|x: f64| Tensor::from(x as f32));
        kernel.step(moved, &step, Some(&divisor)).unwrap();
        // The first step of Adam is as long as its rate, whatever divides the gradient.
        let off = (parameters[0].detach() - 0.9).abs().max().double_value(&[]);
        assert!(off < 1e-6, "{off}");
        assert_eq!(parameters[1].detach(), Tensor::from_slice(&[2.0_f32, 2.0]));
        let off = (&firsts[0] - gradient * (0.1 / 8.0)).abs().max();
        assert!(off.double_value(&[]) < 1e-7, "{off}");
        forget_gradients(&parameters);
        assert!(!parameters[0].grad().defined());
    }
}
