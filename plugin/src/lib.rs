//! Bunri as a CLAP and VST3 effect: one stereo track in, its mix and four stems out.
//!
//! - [`plugin`]: the lifecycle and the buses, as nice-plug sees them.
//! - [`params`]: what hosts automate and save.
//! - `clap_entry`: what hosts find in the library.

mod clap_entry;
pub mod params;
pub mod plugin;
