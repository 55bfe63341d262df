//! The VST3 fences, by what they hand on to objects that only write that down.

mod controller;
mod points;
mod processor;

/// A table of functions none of which is expected to be called.
fn unexpected<F: Copy>() -> F {
    unsafe extern "system" fn unexpected() {
        panic!("called past the fence");
    }
    let words = [unexpected as *const () as usize; 64];
    assert!(size_of::<F>() <= size_of_val(&words));
    // SAFETY: `F` is a structure of function pointers, which these words are.
    unsafe { std::mem::transmute_copy(&words) }
}
