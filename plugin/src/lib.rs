//! Bunri as a CLAP and VST3 effect: one track in, its mix and four stems out.
//!
//! ```text
//! main thread    plugin ─ conductor ─ separation ─ starts and ends the worker, knows the latency
//! audio thread   plugin ─ link ─ ring → ┐ ┌ → ring ─ link ─ mixer ─ main bus + 4 stem buses
//! worker thread                         worker
//! loader thread           conductor ─ opener ─ engine: models, in the background
//! ```
//!
//! One type for each thread: [`Separation`](separation::Separation) for the main thread,
//! [`AudioLink`](link::AudioLink) for the audio thread, `Worker` for the worker thread.
//! [`Conductor`](conductor::Conductor) decides which model the worker gets.
//!
//! - [`plugin`]: the lifecycle and the buses, as nice-plug sees them.
//! - [`params`]: what hosts automate and save; [`presets`]: named sets of their values.
//! - [`settings`]: what the user chooses that is no parameter: model, mode, device.
//! - [`conductor`]: from what is wanted to what is heard; [`opener`]: from a choice to a model.
//! - [`separation`], [`link`], `worker`: the three halves; [`exchange`]: what they exchange.
//! - [`monitor`]: what an editor sees: levels, the stems' last seconds, status.
//! - [`editor`]: what a musician sees and touches.
//! - `priority`: how urgent the worker is; `realtime`: what the audio thread promises.
//! - `clap_entry`: what hosts find in the library; [`host_side`]: what it tells the plugin.

mod clap_entry;
pub mod conductor;
pub mod editor;
pub mod exchange;
pub mod host_side;
pub mod link;
pub mod monitor;
pub mod opener;
pub mod params;
pub mod plugin;
pub mod presets;
mod priority;
mod realtime;
pub mod separation;
pub mod settings;
mod worker;

/// Turns a panic into its message, so that a broken model silences one plugin, not the host.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| payload.downcast_ref::<&str>().copied());
        format!("the model broke: {}", message.unwrap_or("no reason given"))
    })
}
