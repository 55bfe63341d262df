//! The mixing desk: parts to stems, stems to levels.
//!
//! - [`effects`]: tone, saturation, compression, echo.
//! - [`reverb`]: a feedback delay network.
//! - [`desk`]: places parts in a stem.
//! - [`levels`]: how loud each stem is, the master's gain, and the 16-bit grid.

pub(crate) mod desk;
pub(crate) mod effects;
pub(crate) mod levels;
pub(crate) mod reverb;
