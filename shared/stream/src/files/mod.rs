//! Audio files in and out, a block at a time.
//!
//! - [`FileReader`] decodes wav, aiff, flac, mp3, ogg/vorbis and m4a/aac, with encoder delay and
//!   padding removed; [`read_clip`] takes a whole file into a [`Clip`].
//! - [`to_stereo`] gives a separator the two channels it wants.
//!
//! Memory in use does not depend on the length of a file, except in [`read_clip`].

mod clip;
mod error;
mod packets;
mod read;

pub use clip::{Clip, read_clip, to_stereo};
pub use error::FileError;
pub use read::{Damage, FileReader};
