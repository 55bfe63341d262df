//! Running operators that may fail: tch panics where libtorch throws.

use std::any::Any;
use std::cell::Cell;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use tch::TchError;

thread_local! {
    /// Calls of [`caught`] that this thread is in.
    static CATCHING: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work`; a panic of it becomes its message, without what tch and libtorch put around it.
///
/// # Errors
/// The panic's message.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    CATCHING.set(CATCHING.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(CATCHING.get() - 1);
    outcome.map_err(|panic| without_backtrace(message_of(&*panic)).to_owned())
}

/// Runs a piece of a network without recording gradients; a panic or an error of it becomes
/// libtorch's message.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, TchError>) -> Result<T, String> {
    // Unlike `tch::no_grad` the guard is dropped by a panic, too: the thread may have to train later.
    let work = || {
        let _without_gradients = tch::no_grad_guard();
        work()
    };
    caught(work)?.map_err(|error| without_backtrace(&error.to_string()).to_owned())
}

/// Keeps panics off standard error where [`caught`] makes errors of them, and libtorch's C++ stack
/// where it does not. For programs, which call it once at their start.
pub fn report_panics_in_words() {
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if CATCHING.get() > 0 {
            return;
        }
        let message = message_of(info.payload());
        match message.strip_prefix(UNWRAPPED) {
            // Not `eprintln`, which panics where the reader is gone.
            Some(_) => {
                let _ = writeln!(io::stderr(), "Error: {}", without_backtrace(message));
            }
            None => default_hook(info),
        }
    }));
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

/// How the message of a panic begins where one of tch's functions panics.
const UNWRAPPED: &str = "called `Result::unwrap()` on an `Err` value: Torch(\"";

/// The part of a message that is for people: libtorch appends its C++ stack, fifty lines of
/// addresses, to every one; tch's panics print its error as Rust's debugging does.
#[must_use]
pub fn without_backtrace(reason: &str) -> &str {
    let end = reason.find("Exception raised from").unwrap_or(reason.len());
    // A debug-printed reason has its line feeds escaped.
    let kept = reason[..end].trim_end();
    let kept = kept.strip_suffix("\\n").unwrap_or(kept);
    match kept.strip_prefix(UNWRAPPED) {
        Some(inner) => inner.strip_suffix("\")").unwrap_or(inner),
        None => kept,
    }
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
            assert!(!reason.contains("unwrap"), "{reason}");
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
