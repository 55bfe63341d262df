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
//! - [`params`]: what hosts automate and save; [`presets`]: named sets of their values.
//! - [`settings`]: what the user chooses that is no parameter: model, mode, device.
//! - [`monitor`]: what an editor sees: levels, the stems' last seconds, status.
//! - [`separation`], [`link`], `worker`: the three halves; [`exchange`]: what they exchange.
//! - `clap_entry`: what hosts find in the library.

mod clap_entry;
pub mod exchange;
pub mod link;
pub mod monitor;
pub mod params;
pub mod plugin;
pub mod presets;
pub mod separation;
pub mod settings;
mod worker;
