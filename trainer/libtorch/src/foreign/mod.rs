//! Every call into the shim, behind safe functions.

pub(crate) mod arithmetic;
pub(crate) mod c10d;
pub(crate) mod counting;
pub(crate) mod failure;
pub(crate) mod optimiser;
pub(crate) mod recompute;

#[cfg(test)]
mod c10d_tests;
