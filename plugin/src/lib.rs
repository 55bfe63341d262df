//! Bunri as a CLAP and VST3 effect: one stereo track in, its mix and four stems out.
//!
//! ```text
//! main thread    plugin ─ separation ──────── starts and ends the worker, reports the latency
//! audio thread   plugin ─ link ─ ring → ┐ ┌ → ring ─ link ─ main bus + 4 stem buses
//! worker thread                         worker
//! ```
//!
//! One type for each thread: [`Separation`](separation::Separation) for the main thread,
//! [`AudioLink`](link::AudioLink) for the audio thread, `Worker` for the worker thread.
//!
//! - [`plugin`]: the lifecycle and the buses, as nice-plug sees them.
//! - [`params`]: what hosts automate and save.
//! - [`separation`], [`link`], `worker`: the three halves; [`exchange`]: what they exchange.
//! - [`editor`]: what a musician sees and touches.
//! - `clap_entry`: what hosts find in the library.

mod clap_entry;
pub mod editor;
pub mod exchange;
pub mod link;
pub mod params;
pub mod plugin;
pub mod separation;
mod worker;
