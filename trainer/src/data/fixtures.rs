//! Small audio files for this folder's tests.

use std::fs;
use std::path::Path;

use bunri_stream::Planar;
use bunri_stream::files::{Encoding, FileWriter};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rate of the tests' songs.
pub(super) const RATE_HZ: u32 = 8_000;

/// Stereo noise within ± `peak`.
pub(super) fn noise(frames: usize, seed: u64, peak: f32) -> Planar {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut channel = || {
        (0..frames)
            .map(|_| rng.random_range(-peak..peak))
            .collect::<Vec<f32>>()
    };
    Planar::from_channels(vec![channel(), channel()]).unwrap()
}

/// Writes a file that keeps floats as they are, with its folder.
pub(super) fn write(path: &Path, audio: &Planar) {
    write_as(path, audio, RATE_HZ, Encoding::Wav32Float);
}

pub(super) fn write_as(path: &Path, audio: &Planar, rate_hz: u32, encoding: Encoding) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let channels = audio.channel_count();
    let mut writer = FileWriter::create(path, rate_hz, channels, encoding).unwrap();
    writer.write(audio).unwrap();
    writer.finish().unwrap();
}

/// The largest difference of two blocks of one shape.
pub(super) fn difference(left: &Planar, right: &Planar) -> f32 {
    assert_eq!(left.channel_count(), right.channel_count());
    assert_eq!(left.frames(), right.frames());
    let pairs = left.channels().flatten().zip(right.channels().flatten());
    pairs.map(|(l, r)| (l - r).abs()).fold(0.0, f32::max)
}
