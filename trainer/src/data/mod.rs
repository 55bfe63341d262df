//! Songs on disk and training examples made from them.

pub mod songs;
