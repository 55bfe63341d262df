//! Files mapped into memory: the only unsafe code of this crate's data.
#![allow(unsafe_code)] // Mapping a file is unsafe by nature; the reason why it may be done is below.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::{Advice, Mmap};

/// A whole file as bytes that the system reads when they are touched, and may forget again.
///
/// A disk that fails while bytes are touched ends the process (SIGBUS): there is no call that
/// could return an error.
#[derive(Debug)]
pub(super) struct Mapped(Mmap);

impl Mapped {
    /// Maps a file of the cache.
    pub(super) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the bytes must not change and the file must not shrink while it is mapped. Files
        // of the cache get their name once they are complete (`cache`), and are from then on
        // replaced by a rename, never written to: a mapping keeps the file that it was made of.
        let map = unsafe { Mmap::map(file)? };
        // Segments lie anywhere: reading ahead would fill memory with what nobody asked for. A
        // system that does not take the advice is slower, no more.
        let _ = map.advise(Advice::Random);
        Ok(Self(map))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
