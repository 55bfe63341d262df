//! Songs to train on in no time: two seconds of sine waves.

use std::fs;
use std::path::Path;

use bunri_stream::Planar;
use bunri_stream::files::{Encoding, FileWriter};

/// Sample rate of all songs.
pub(crate) const RATE_HZ: u32 = 8_000;

/// A folder with two songs to train on and one to validate with.
pub(crate) fn songs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("train/one"), 1);
    write_song(&folder.path().join("train/two"), 2);
    write_song(&folder.path().join("valid/three"), 3);
    folder
}

pub(crate) fn write_song(folder: &Path, seed: u32) {
    fs::create_dir_all(folder).unwrap();
    for (stem, pitch) in [
        ("drums", 3.0),
        ("bass", 60.0),
        ("other", 440.0),
        ("vocals", 700.0),
    ] {
        let wave = |frame: usize, offset: f32| {
            let time = frame as f32 / RATE_HZ as f32;
            (time * pitch * (1.0 + seed as f32 * 0.1) * std::f32::consts::TAU + offset).sin() * 0.2
        };
        let channel = |offset: f32| (0..2 * RATE_HZ as usize).map(|i| wave(i, offset)).collect();
        let audio = Planar::from_channels(vec![channel(0.0), channel(1.0)]).unwrap();
        let path = folder.join(stem).with_extension("wav");
        let mut writer = FileWriter::create(&path, RATE_HZ, 2, Encoding::Wav32Float).unwrap();
        writer.write(&audio).unwrap();
        writer.finish().unwrap();
    }
}
