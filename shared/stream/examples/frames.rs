//! Counts the frames of audio files: one line each, with what the reader says about the file.
//!
//! `cargo run -p bunri-stream --example frames -- FILE ...` prints file, frames, rate, channels and remarks,
//! separated by tabs; an error stands in the place of the counts.

use std::env;
use std::path::{Path, PathBuf};

use bunri_stream::files::{FileError, FileReader};

fn main() {
    for path in env::args_os().skip(1).map(PathBuf::from) {
        let line = counts(&path).unwrap_or_else(|error| format!("-\t-\t-\terror: {error}"));
        println!("{}\t{line}", path.display());
    }
}

fn counts(path: &Path) -> Result<String, FileError> {
    let mut reader = FileReader::open(path)?;
    let (rate_hz, channels) = (reader.rate_hz(), reader.channels());
    let mut frames = 0;
    while let Some(block) = reader.read(1 << 16)? {
        frames += block.frames();
    }
    let warnings = reader.damage().warnings(rate_hz);
    let notes = reader.notes().iter().map(|note| format!("note: {note}"));
    let remarks: Vec<String> = warnings.into_iter().chain(notes).collect();
    Ok(format!(
        "{frames}\t{rate_hz}\t{channels}\t{}",
        remarks.join("; ")
    ))
}
