//! Discriminators for any separation model, and what keeps them from overfitting.
//!
//! ```text
//! Scenes ─ level, crop, augmentation ─ rows ─ discriminators ─┬─ generator_terms ─ the generator
//! (mixture, real, fake)                                       ├─ learn ─ losses, R1, R2 ─ Adam
//! held-out Scenes ────────────────────────────────────────────┴─ measure ─ r_v, AUC ─ answer
//!                          └──── probability, pause, way back ◄────────── control ◄─────┘
//! ```
//!
//! - `config`: the table `[adversarial]`.
//! - `scene`: one level for all, cropped; rows per stem or per scene.
//! - `augmentation`: the same variation for stems, estimates and mixture.
//! - `discriminator`, `front`, `layers`, `weights`: the networks.
//! - `losses`: hinge, least squares, relativistic; feature matching; slope penalties.
//! - `overfitting`, `control`: measured on held-out songs, and answered.
//! - `dice`: every draw follows from seed, purpose, step and rank.
//! - `adversary`: all of it together; `watch` measures it, `resume` saves it and takes it back.

mod adversary;
mod augmentation;
mod config;
mod control;
mod dice;
mod discriminator;
mod front;
mod layers;
mod losses;
mod overfitting;
mod resume;
mod scene;
#[cfg(test)]
mod tests;
mod watch;
mod weights;

pub use adversary::{Adversary, Average, DiscriminatorReport, Outcome, Setting};
pub use augmentation::AugmentationConfig;
pub use config::{
    AdversarialConfig, DiscriminatorConfig, LossFamily, PeriodsConfig, SpectralConfig,
    WaveformConfig,
};
pub use control::{Action, ControlConfig, ControlState};
pub use overfitting::{DiscriminatorFigures, Figures, Overfitting, OverfittingSums};
pub use resume::Counters;
pub use scene::Scenes;
pub use watch::ControlReport;
