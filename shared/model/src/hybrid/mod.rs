//! The parts that Demucs v3, Hybrid Demucs and HTDemucs are made of.
//!
//! Reference implementation: PyPI `demucs==4.1.0` (`demucs.py`, `hdemucs.py`, `spec.py`). Names of
//! parts and of their weights are the reference's.
//!
//! ```text
//!          ┌ spectrum ─ encoder layers (over frequency) ┐                ┌ decoder ─ spectrum⁻¹ ┐
//! mixture ─┤                                            ├ merge / bottom ┤                      ├ + ─ stems
//!          └ encoder layers (over time) ────────────────┘                └ decoder ─────────────┘
//! ```
//!
//! - [`convolution`], [`spectral_convolution`], [`group_norm`], [`activation`]: single operations.
//! - [`dconv`]: residual branch of dilated convolutions, with [`framed_blstm`], [`local_state`] and
//!   [`normalized_expansion`].
//! - [`encoder_layer`], [`decoder_layer`]: one level, over frequency or time; [`level`] is what both
//!   have in common, [`bands`] has one copy of a layer per frequency band.
//! - [`shape`]: which layers a config asks for; [`unet`]: all of them, in both branches.
//! - [`spectrum`]: waveform to complex channels and back.

pub(crate) mod activation;
pub(crate) mod bands;
pub(crate) mod convolution;
pub(crate) mod dconv;
pub(crate) mod decoder_layer;
pub(crate) mod encoder_layer;
pub(crate) mod framed_blstm;
#[cfg(test)]
pub(crate) mod golden;
pub(crate) mod group_norm;
pub(crate) mod level;
pub(crate) mod local_state;
pub(crate) mod normalized_expansion;
pub(crate) mod shape;
pub(crate) mod spectral_convolution;
pub(crate) mod spectrum;
pub(crate) mod unet;
