//! What a call leaves for its caller: a status, and a text per thread.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bunri_model::run::{message_of, without_backtrace};
use bunri_stream::engine::abi::{FAILED, OK, Status, Text};

thread_local! {
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
    static DEVICES: RefCell<String> = const { RefCell::new(String::new()) };
    static FACTS: RefCell<[String; 2]> = const { RefCell::new([String::new(), String::new()]) };
}

/// Runs the body of an exported function: no panic leaves it, every failure leaves its reason.
///
/// A panic may leave the model it happened in half-way through a chunk; the interface lets a
/// stream go on after a failure, and nothing that a chunk changes outlives it.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), String>) -> Status {
    let outcome = catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(format!("the engine panicked: {}", message_of(&*panic))));
    match outcome {
        Ok(()) => OK,
        Err(reason) => {
            LAST_ERROR.with_borrow_mut(|text| without_backtrace(&reason).clone_into(text));
            FAILED
        }
    }
}

/// This thread's latest reason; readable until its next failure.
pub(crate) fn last_error() -> Text {
    LAST_ERROR.with_borrow(|text| Text::borrow(text.as_bytes()))
}

/// Keeps lines about devices for the calling thread, until its next call of this.
pub(crate) fn keep_devices(lines: &[String]) -> Text {
    DEVICES.with_borrow_mut(|text| {
        *text = lines.join("\n");
        Text::borrow(text.as_bytes())
    })
}

/// Keeps two texts about a model for the calling thread, until its next call of this.
pub(crate) fn keep_facts(texts: [String; 2]) -> [Text; 2] {
    FACTS.with_borrow_mut(|kept| {
        *kept = texts;
        kept.each_ref().map(|text| Text::borrow(text.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the interface: unwinding into a host written in C++ would end the host.
    #[test]
    fn a_panic_becomes_a_failure_with_its_message() {
        assert_eq!(guarded(|| panic!("no {} left", "memory")), FAILED);
        let text = LAST_ERROR.with_borrow(String::clone);
        assert_eq!(text, "the engine panicked: no memory left");
        assert_eq!(guarded(|| Ok(())), OK);
    }

    /// Guards what users read: the first line of a torch error is the message, the rest is noise.
    #[test]
    fn torchs_stack_is_cut_off() {
        let reason = "out of memory\nException raised from allocate at cpu.cpp:1\nframe #0: ...";
        assert_eq!(without_backtrace(reason), "out of memory");
        assert_eq!(
            without_backtrace("Torch(\"bad\\nException raised from"),
            "Torch(\"bad"
        );
        assert_eq!(without_backtrace("plain"), "plain");
    }
}
