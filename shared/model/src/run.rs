//! Running operators that may fail: tch panics where libtorch throws.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tch::TchError;

/// Runs a piece of a network without recording gradients; a panic or an error of it becomes
/// libtorch's message.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, TchError>) -> Result<T, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| tch::no_grad(work)));
    let reason = match outcome {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => message_of(&*panic).to_owned(),
    };
    Err(without_backtrace(&reason).to_owned())
}

/// Whether less work at a time, or another device, would help.
pub(crate) fn is_out_of_memory(reason: &str) -> bool {
    reason.contains("out of memory") || reason.contains("can't allocate memory")
}

/// Whether the device itself is the matter: another one would help.
pub(crate) fn is_device_failure(reason: &str) -> bool {
    let signs = ["CUDA", "cuda", "CUBLAS", "CUDNN", "cuDNN"];
    is_out_of_memory(reason) || signs.iter().any(|sign| reason.contains(sign))
}

/// What a panic said.
#[must_use]
pub fn message_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// The part of a message that is for people: libtorch appends its C++ stack, fifty lines of
/// addresses, to every one.
#[must_use]
pub fn without_backtrace(reason: &str) -> &str {
    let end = reason.find("Exception raised from").unwrap_or(reason.len());
    // A debug-printed reason has its line feeds escaped.
    let kept = reason[..end].trim_end();
    kept.strip_suffix("\\n").unwrap_or(kept)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    /// Guards a bounce and a session from ending with a network that cannot go on.
    #[test]
    fn operators_that_fail_become_one_line() {
        let ones = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));
        let panicked = guarded(|| Ok(ones.matmul(&ones))).unwrap_err();
        let failed = guarded(|| ones.f_matmul(&ones)).unwrap_err();
        for reason in [panicked, failed] {
            assert!(reason.contains("2x3"), "{reason}");
            assert!(!reason.contains("frame #"), "{reason}");
            assert!(!is_device_failure(&reason));
        }
    }

    #[test]
    fn what_a_device_says_when_it_is_full_is_understood() {
        for reason in [
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...",
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...",
        ] {
            assert!(is_out_of_memory(reason));
        }
        assert!(is_device_failure(
            "CUDA error: an illegal memory access was encountered"
        ));
        assert!(!is_out_of_memory(
            "CUDA error: device-side assert triggered"
        ));
    }
}
