//! Audio files in and out, a block at a time.
//!
//! - [`FileReader`] decodes wav, aiff, flac, mp3, ogg/vorbis and m4a/aac, with encoder delay and
//!   padding removed; [`read_clip`] takes a whole file into a [`Clip`].
//!   [`FileReader::open_track`] takes one of several tracks, as `.stem.mp4` files have them.
//! - [`FileWriter`] encodes wav, flac, Apple Lossless, and, by the user's `ffmpeg`, mp3, Opus and AAC;
//!   [`StemFileWriter`] writes Native Instruments' stem files. A file has its name only once it is
//!   complete, and so has any other that [`write_file`] writes.
//! - [`Tags`] are what a recording says about itself: [`FileReader::tags`] reads them.
//! - [`to_stereo`] gives a separator the two channels it wants.
//!
//! Memory in use does not depend on the length of a file, except in [`read_clip`].

mod adts;
mod alac;
mod clip;
mod edit_list;
mod encoding;
mod error;
mod ffmpeg;
mod flac;
mod mp4;
mod outside_encoder;
mod packets;
mod read;
mod riff_info;
mod stem_file;
mod tags;
mod temporary;
mod wav;
mod write;

pub use clip::{Clip, read_clip, to_stereo};
pub use edit_list::stem_description;
pub use encoding::Encoding;
pub use error::FileError;
pub use ffmpeg::Ffmpeg;
pub use read::{Damage, FileReader};
pub use stem_file::StemFileWriter;
pub use tags::{TagField, Tags};
pub use temporary::{remove_abandoned, remove_unfinished, write_file};
pub use write::{FileWriter, Written};
