//! The mixing desk: parts to stems, stems to levels.
//!
//! - [`effects`]: tone, saturation, compression, echo.
//! - [`reverb`]: a feedback delay network.
//! - [`desk`]: places parts in a stem.
//! - [`pump`]: side-chain ducking by the bass drum.
//! - [`levels`]: how loud each stem is, the limiter, and the 16-bit grid.
//! - [`loudness`]: integrated loudness of a whole song.
//! - [`master`]: what happens to a song as a whole.

pub(crate) mod desk;
pub(crate) mod effects;
pub(crate) mod levels;
pub(crate) mod loudness;
pub(crate) mod master;
pub(crate) mod pump;
pub(crate) mod reverb;
