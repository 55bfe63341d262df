//! Model files with something wrong in them, made by the thousand: each gives an error or a model,
//! never a panic, and never asks for more memory than its config is allowed.
//!
//! The same as the fuzz target `checkpoint`, without its guidance and without its tools; with
//! `BUNRI_MUTATE_SECONDS=600` it goes on for ten minutes, under `cargo test`: nextest stops tests then.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::time::{Duration, Instant};

use bunri_model::{Checkpoint, ConvTasNetConfig, DemucsConfig, NetworkConfig, Provenance, Storage};
use tch::Device;

/// Numbers, equal for equal seeds: Knuth's MMIX generator, of which the upper bits are random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// What numbers and texts of a header are replaced by.
const WORDS: [&str; 14] = [
    "0",
    "-1",
    "1e308",
    "18446744073709551615",
    "4294967296",
    "0.5",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"F64\"",
    "\"conv-tasnet\"",
    "[[[[[[[[[[[[[[[[",
];

fn files() -> Vec<Vec<u8>> {
    let demucs = DemucsConfig {
        channels: 2,
        depth: 1,
        lstm_layers: 0,
        segment_frames: 50,
        ..DemucsConfig::v2(2)
    };
    let conv_tasnet = ConvTasNetConfig {
        filters: 2,
        bottleneck_channels: 2,
        hidden_channels: 2,
        blocks: 1,
        repeats: 1,
        segment_frames: 50,
        ..ConvTasNetConfig::default()
    };
    let configs = [
        NetworkConfig::Demucs(demucs),
        NetworkConfig::ConvTasNet(conv_tasnet),
    ];
    let bytes = configs.map(|config| {
        let checkpoint = Checkpoint {
            network: config.untrained(7, Device::Cpu).unwrap(),
            provenance: Provenance::default(),
            licence: "CC0-1.0".into(),
        };
        checkpoint.to_bytes(Storage::F16).unwrap()
    });
    bytes.to_vec()
}

/// One to four changes; mostly in the header, whose length is corrected in most cases.
fn mutate(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let header_bytes = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let (mut header, mut data) = (
        file[8..8 + header_bytes].to_vec(),
        file[8 + header_bytes..].to_vec(),
    );
    for _ in 0..=dice.below(4) {
        let part = if dice.below(5) == 0 {
            &mut data
        } else {
            &mut header
        };
        let at = dice.below(part.len());
        let end = (at + 1 + dice.below(16)).min(part.len());
        match dice.below(7) {
            0 => part[at] ^= 1 << dice.below(8),
            1 => part[at] = dice.below(256) as u8,
            2 => drop(part.drain(at..end)),
            3 => {
                let copy = part[at..end].to_vec();
                let to = dice.below(part.len());
                part.splice(to..to, copy);
            }
            4 => part.truncate(at),
            // Another value for one of the header's.
            _ => {
                let is_end = |byte: &u8| b",}]".contains(byte);
                let colon = part[at..].iter().position(|byte| *byte == b':');
                if let Some(colon) = colon.map(|colon| at + colon + 1) {
                    let end = part[colon..].iter().position(is_end);
                    let end = end.map_or(part.len(), |end| colon + end);
                    let word = WORDS[dice.below(WORDS.len())];
                    // Half of the values lie within a text, where quotes are escaped.
                    let word = match dice.below(2) {
                        0 => word.to_owned(),
                        _ => word.replace('"', "\\\""),
                    };
                    part.splice(colon..end, word.into_bytes());
                }
            }
        }
        if part.is_empty() {
            part.push(b'{');
        }
    }
    let length = match dice.below(8) {
        0 => dice.below(usize::MAX) as u64,
        _ => header.len() as u64,
    };
    [&length.to_le_bytes()[..], &header, &data].concat()
}

#[test]
fn mutated_files_give_an_error_or_a_model() {
    let seconds = std::env::var("BUNRI_MUTATE_SECONDS").ok();
    let seconds: u64 = seconds.and_then(|text| text.parse().ok()).unwrap_or(0);
    let (files, start) = (files(), Instant::now());
    let (mut models, mut errors, mut seed) = (0u64, 0u64, 0u64);
    while seed < 3000 || start.elapsed() < Duration::from_secs(seconds) {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let bytes = mutate(&files[seed as usize % files.len()], &mut dice);
        let loaded = std::panic::catch_unwind(|| Checkpoint::from_bytes(&bytes, Device::Cpu));
        match loaded {
            Ok(Ok(_)) => models += 1,
            Ok(Err(_)) => errors += 1,
            Err(_) => panic!("seed {seed} panics"),
        }
        seed += 1;
    }
    println!("{seed} files: {models} models, {errors} errors");
    // A mutator that breaks nothing, or everything at once, would prove nothing.
    assert!(
        models > seed / 1000 && errors > seed / 2,
        "{models} models, {errors} errors"
    );
}
