//! Audio files in and out, a block at a time.
//!
//! - [`FileReader`] decodes wav and its relatives, aiff, caf, flac, mp3, ogg/vorbis, mkv and m4a/aac, with
//!   encoder delay and padding removed where the file tells them; everything else by an [`Ffmpeg`] program
//!   that is there. It reads every frame that is there: a length in a header is a claim, which neither
//!   ends a file nor makes a whole one [damaged](Damage). [`read_clip`] takes a whole file into a [`Clip`].
//!   [`FileReader::open_track`] takes one of several tracks, as `.stem.mp4` files have them.
//! - [`FileWriter`] encodes wav, flac, Apple Lossless, and, by the user's `ffmpeg`, mp3, Opus and AAC;
//!   [`StemFileWriter`] writes Native Instruments' stem files. A file has its name only once it is
//!   complete, and so has any other that [`write_file`] writes.
//! - [`Tags`] are what a recording says about itself: [`FileReader::tags`] reads them.
//! - [`Content`] names what is neither a song nor a model.
//! - [`to_stereo`] gives a separator the two channels it wants.
//!
//! Memory in use does not depend on the length of a file, except in [`read_clip`].

mod adts;
mod alac;
mod blocks;
mod clip;
mod content;
mod edit_list;
mod encoding;
mod error;
mod ffmpeg;
mod ffmpeg_reader;
mod flac;
mod flac_frames;
mod flac_header;
mod iff;
mod matroska;
mod mp4;
mod mpeg_tail;
mod ogg_tail;
mod open;
mod outer_tags;
mod outside_encoder;
mod packets;
mod read;
mod riff_info;
mod section;
mod source;
mod stem_file;
mod tags;
mod temporary;
mod wav;
mod write;

pub use clip::{Clip, read_clip, to_stereo};
pub use content::Content;
pub use edit_list::stem_description;
pub use encoding::Encoding;
pub use error::FileError;
pub use ffmpeg::Ffmpeg;
pub use read::{Damage, FileReader};
pub use stem_file::StemFileWriter;
pub use tags::{TagField, Tags};
pub use temporary::{remove_abandoned, remove_unfinished, write_file};
pub use write::{FileWriter, Written};
