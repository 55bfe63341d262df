//! The separation engine: [`bunri_model`] behind the C interface of [`bunri_stream::engine::abi`].
//!
//! ```text
//! plugin ─ table (C, unsafe) ─ Stream (one per open model) ─ DemucsSeparator ─┐
//!                └ weights (one copy per model and device, shared by all) ─────┘
//! ```
//!
//! - `table`: the exported functions; the only unsafe code.
//! - `reply`: failures and texts, on their way out.
//! - `stream`: one open model.
//! - `weights`: which models lie in memory.

mod reply;
mod stream;
mod table;
mod weights;
