//! Training, evaluation and offline separation.
//!
//! Two programs share this library: `trainer` (researchers) and `bounce` (people who want stems of
//! a file). The data's way:
//!
//! ```text
//! render ─ songs on disk ─ data ─ train ─ checkpoint ─ evaluate ─ compare
//!                                             └─────── bounce ─ stems on disk
//! ```
//!
//! `model` is the model that a command works with. Each module that is a subcommand exposes `Args` (its command line) and `run`.

pub mod adversarial;
pub mod average;
pub mod bag;
pub mod bench;
pub mod bounce;
pub mod compare;
pub mod data;
pub mod distributed;
pub mod evaluate;
pub mod export;
mod folder_lock;
pub mod import;
pub mod info;
pub mod json_file;
pub mod launch;
pub mod losses;
pub mod model;
mod output;
mod output_file;
pub mod python;
pub mod render;
pub mod report;
pub mod run_log;
mod signals;
pub mod stream_args;
pub mod table;
pub mod tensorboard;
pub mod train;
