//! Pickles of `torch.save`, protocol 2, as plain data.
//!
//! Python's pickle is a program for a stack machine that may call anything. This machine has the
//! instructions that `torch.save` writes, and its calls are a list of names with a meaning of their
//! own here (see [`calls`]); every other name ends the reading.

mod calls;
mod machine;
mod reader;

pub(crate) use machine::read;
