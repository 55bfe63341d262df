//! What every call into the shim has in common: pointers to tensors, failures, made objects.
#![allow(unsafe_code)] // The C interface of shim/common.cpp.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use tch::Tensor;

use crate::Error;

/// `at::Tensor` and the shim's own types, none of which Rust looks into.
pub(super) type Opaque = c_void;
/// Null, or a message to be freed.
pub(super) type Failure = *mut c_char;
pub(super) type TensorPointer = *const Opaque;

unsafe extern "C" {
    fn bunri_free(text: *mut c_char);
    fn bunri_exit_at_once(code: c_int) -> !;
}

/// Ends the process now, whatever its other threads wait for.
///
/// Unlike [`std::process::exit`] this runs nothing at exit: a thread that hangs in a collective would
/// use what libtorch takes down there.
pub fn exit_at_once(code: i32) -> ! {
    // SAFETY: may be called at any time, by any thread.
    unsafe { bunri_exit_at_once(code) }
}

pub(super) fn pointer(tensor: &Tensor) -> TensorPointer {
    tensor.as_ptr().cast()
}

pub(super) fn pointers(tensors: &[Tensor]) -> Vec<TensorPointer> {
    let pointers = tensors.iter().map(pointer);
    pointers.collect()
}

pub(super) fn text(what: &str, text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error {
        what: what.to_owned(),
        reason: "a zero byte in a text".to_owned(),
    })
}

/// The text that the shim made, which is freed.
pub(super) fn taken(text: *mut c_char) -> Option<String> {
    let text = NonNull::new(text)?;
    // SAFETY: the shim gives null or a string of its own that ends with a zero byte.
    let copy = unsafe { CStr::from_ptr(text.as_ptr()) };
    let copy = copy.to_string_lossy().into_owned();
    // SAFETY: taken back once.
    unsafe { bunri_free(text.as_ptr()) };
    Some(copy)
}

pub(super) fn checked(what: &str, failure: Failure) -> Result<(), Error> {
    match taken(failure) {
        None => Ok(()),
        Some(message) => Err(Error {
            what: what.to_owned(),
            reason: reason(&message).to_owned(),
        }),
    }
}

/// The first line without the place in Gloo's source; what follows is a trace of C++ functions.
fn reason(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    match line.split_once("] ") {
        Some((place, reason)) if place.starts_with('[') => reason,
        _ => line,
    }
}

/// The object that `make` writes a pointer to.
pub(super) fn made(
    what: &str,
    make: impl FnOnce(*mut *mut Opaque) -> Failure,
) -> Result<NonNull<Opaque>, Error> {
    let mut out = ptr::null_mut();
    checked(what, make(&raw mut out))?;
    NonNull::new(out).ok_or_else(|| Error {
        what: what.to_owned(),
        reason: "nothing was made".to_owned(),
    })
}
