//! Replaces functions of the wrapper's C++ objects: an object's table of functions is copied once,
//! with some of them replaced, and the object pointed to the copy.

use std::ffi::c_void;
use std::sync::OnceLock;

/// Words before a table's first function: the type's description.
const WORDS_BEFORE: usize = if cfg!(windows) { 1 } else { 2 };

/// The table of a class's functions `F`, once the first of its objects was met.
pub(super) struct Table<F: 'static>(OnceLock<Copied<F>>);

struct Copied<F: 'static> {
    copy: Box<Described<F>>,
    original: &'static F,
}

/// A table as it lies in memory.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Described<F> {
    description: [usize; WORDS_BEFORE],
    pub(super) functions: F,
}

#[cfg(test)]
impl<F> Described<F> {
    /// A table of a class that tests make up.
    pub(super) fn new(functions: F) -> Self {
        Self {
            description: [0; WORDS_BEFORE],
            functions,
        }
    }
}

impl<F: Copy + Send + Sync + 'static> Table<F> {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Points `object` to a copy of its table that `replace` has changed. The first object's `replace`
    /// is the one that counts.
    ///
    /// # Safety
    /// `object` must be alive and begin with a pointer to a C++ table of `F`, the same for every object
    /// of this table; the table must be the library's.
    pub(super) unsafe fn fence(&'static self, object: *mut c_void, replace: impl FnOnce(&mut F)) {
        let place = object.cast::<*const F>();
        // SAFETY: as the caller promises; a class's description lies before its functions.
        unsafe {
            let copied = self.0.get_or_init(|| {
                let described = (*place).cast::<usize>().sub(WORDS_BEFORE);
                let mut copy = Box::new(*described.cast::<Described<F>>());
                replace(&mut copy.functions);
                let original = &**place;
                Copied { copy, original }
            });
            if *place == &raw const *copied.original {
                *place = &raw const copied.copy.functions;
            }
        }
    }

    /// The class's own functions, once an object was met. Real-time safe.
    pub(super) fn original(&self) -> Option<&'static F> {
        self.0.get().map(|copied| copied.original)
    }
}
