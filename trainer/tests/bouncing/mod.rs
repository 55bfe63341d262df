//! The `bounce` program with a tiny model in a folder of its own.

#![allow(dead_code, reason = "every test binary uses some of them")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bunri_model::{Checkpoint, DemucsConfig, NetworkConfig, Provenance, Storage};
use bunri_stream::{Encoding, FileWriter, Planar, read_clip};

pub(crate) const RATE_HZ: u32 = 44_100;
/// -90 dBFS, the most by which the stems' sum may miss the input.
pub(crate) const NULL: f32 = 3.16e-5;

/// A folder with a tiny untrained model, whose stems are loud nonsense: only the correction to the
/// mixture makes them add up.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let config = DemucsConfig {
            channels: 4,
            depth: 2,
            lstm_layers: 1,
            resample: false,
            sample_rate: RATE_HZ,
            segment_frames: 8000,
            ..DemucsConfig::default()
        };
        let checkpoint = Checkpoint {
            network: NetworkConfig::Demucs(config)
                .untrained(1, tch::Device::Cpu)
                .unwrap(),
            provenance: Provenance::default(),
            licence: "CC0-1.0".into(),
        };
        checkpoint
            .save(&bench.path("model.safetensors"), Storage::F32)
            .unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes seeded noise below full scale.
    pub(crate) fn song(&self, name: &str, rate_hz: u32, channels: usize, frames: usize) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut state = 1_u32;
        let mut next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as f32 - 32_768.0) / 65_536.0
        };
        let audio = (0..channels)
            .map(|_| (0..frames).map(&mut next).collect())
            .collect();
        let mut file = FileWriter::create(&path, rate_hz, channels, Encoding::Wav16).unwrap();
        file.write(&Planar::from_channels(audio).unwrap()).unwrap();
        file.finish().unwrap();
        path
    }

    /// The program with the tiny model, writing into `out`.
    pub(crate) fn bounce(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bounce"));
        command
            .args(["--device", "cpu", "-o"])
            .arg(self.path("out"));
        command
            .arg("--model")
            .arg(self.path("model.safetensors"))
            .args(arguments);
        // One thread each: many of these run at once.
        command.env("OMP_NUM_THREADS", "1");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str], files: &[&Path]) -> Output {
        self.bounce(arguments).args(files).output().unwrap()
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
pub(crate) fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
}

/// The sum of files, and that each has the input's rate and shape.
#[track_caller]
pub(crate) fn assert_they_add_up(input: &Path, stems: &[PathBuf]) {
    let input = read_clip(input).unwrap();
    let mut sum = Planar::zeros(input.audio.channel_count(), input.audio.frames());
    for path in stems {
        let stem = read_clip(path).unwrap();
        assert_eq!(stem.rate_hz, input.rate_hz, "{}", path.display());
        assert!(
            stem.audio
                .channels()
                .flatten()
                .any(|&sample| sample.abs() > 1e-3)
        );
        sum.add(&stem.audio); // panics where the shapes differ
    }
    let pairs = sum
        .channels()
        .zip(input.audio.channels())
        .flat_map(|(s, i)| s.iter().zip(i));
    let worst = pairs
        .map(|(sum, input)| (sum - input).abs())
        .fold(0.0, f32::max);
    assert!(
        worst < NULL,
        "the sum of the stems misses the input by {worst}"
    );
}

pub(crate) fn stems(folder: &Path, names: &[&str], extension: &str) -> Vec<PathBuf> {
    names
        .iter()
        .map(|name| folder.join(format!("{name}.{extension}")))
        .collect()
}

pub(crate) const STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The names of what is in a folder, sorted.
pub(crate) fn file_names(folder: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<_> = entries(folder).into_iter().map(name).collect();
    names.sort();
    names
}
