//! Bunri as its users' hosts see it: the built plugin, loaded by a CLAP host and a VST3 host.
//!
//! - [`bundle`]: finds the built plugin and lays it out as the two bundles.
//! - [`host`]: what a test asks of either host ([`PluginHost`]), and how it wants to be treated
//!   ([`Setup`]).
//! - [`clap_host`], [`vst3_host`]: the two hosts, on `clack-host` and `vst3-host`.
//! - [`vst3_bare`]: the questions that `vst3-host` cannot ask.
//! - [`own_process`]: one process, one environment, one engine per test, under any test runner.
//! - [`programs`]: other programs, such as hosts: [`ardour`], [`python`].
//! - [`checkpoint`]: tiny models with known answers.
//! - [`table`]: who passes what, recorded as the tests run.
//! - [`signals`]: what goes in, and how what comes out is judged.
//!
//! The tests themselves are in `tests/`, one file per promise.

pub mod ardour;
pub mod bundle;
pub mod checkpoint;
pub mod clap_host;
pub mod host;
pub mod own_process;
pub mod programs;
pub mod python;
pub mod signals;
pub mod table;
pub mod vst3_bare;
pub mod vst3_host;

pub use host::{AuxBuses, Format, Pace, PluginHost, STEMS, Setup};
