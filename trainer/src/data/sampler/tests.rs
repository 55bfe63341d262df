//! Examples: what they are made of, and that they are always the same.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::path::Path;

use super::*;
use crate::data::augment::{CodecConfig, CompressorConfig, EqualiserConfig, RoomConfig};
use crate::data::cache::Cache;
use crate::data::fixtures::{RATE_HZ, difference, noise, write};
use crate::data::pool::{SongSource, rms, usable_songs};
use crate::data::repitch::RepitchConfig;

const SONG_FRAMES: usize = 6_000;
const FRAMES: usize = 2_000;

/// Two roundings to 16 bits a part, five parts, and the mixture's own.
const ROUNDING: f32 = 11.0 / 65_536.0;

fn stems() -> Vec<String> {
    ["drums", "bass", "other", "vocals"]
        .map(String::from)
        .to_vec()
}

/// A song whose parts are different noise; gives the sum of all of them.
fn song(folder: &Path, first_seed: u64, names: &[&str]) -> Planar {
    let mut mixture = Planar::zeros(2, SONG_FRAMES);
    for (name, seed) in names.iter().zip(first_seed..) {
        let audio = noise(SONG_FRAMES, seed, 0.1);
        write(&folder.join(format!("{name}.wav")), &audio);
        mixture.add(&audio);
    }
    mixture
}

/// Nothing is varied: an example is what lies on disk.
fn plain() -> AugmentConfig {
    AugmentConfig {
        remix: 0.0,
        silence: 0.0,
        flip_channels: false,
        flip_sign: false,
        scale: [1.0, 1.0],
        repitch: RepitchConfig {
            probability: 0.0,
            ..RepitchConfig::default()
        },
        ..AugmentConfig::default()
    }
}

/// Everything is varied that this rate allows.
fn wild() -> AugmentConfig {
    AugmentConfig {
        remix: 0.5,
        shift_seconds: 0.1,
        equaliser: EqualiserConfig {
            probability: 1.0,
            ..EqualiserConfig::default()
        },
        room: RoomConfig {
            probability: 1.0,
            ..RoomConfig::default()
        },
        compressor: CompressorConfig {
            probability: 1.0,
            ..CompressorConfig::default()
        },
        codec: CodecConfig {
            probability: 1.0,
            cutoff_hz: [2_000.0, 3_500.0],
            ..CodecConfig::default()
        },
        ..AugmentConfig::default()
    }
}

/// All songs of a folder, all of it usable.
fn source(path: &Path, weight: f64) -> SongSource {
    SongSource {
        path: path.to_owned(),
        songs: None,
        stems: None,
        absent: Vec::new(),
        weight,
    }
}

/// Draws from `root/partly`, nearly always, with only these stems usable.
fn sampler(root: &Path, usable: Option<&[&str]>, augment: AugmentConfig) -> Sampler {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let partly = SongSource {
        stems: usable.map(names),
        ..source(&root.join("partly"), 1e9)
    };
    sampler_of(root, partly, augment)
}

/// Draws from `songs`, nearly always; a complete song stands by, since every stem must be somewhere.
fn sampler_of(root: &Path, songs: SongSource, augment: AugmentConfig) -> Sampler {
    song(
        &root.join("complete/song"),
        100,
        &["drums", "bass", "other", "vocals"],
    );
    let sources = [songs, source(&root.join("complete"), 1e-9)];
    let cache = Cache::new(&root.join("cache"), RATE_HZ).unwrap();
    let pool = Pool::load(&sources, &stems(), &cache, true, |_| {}).unwrap();
    Sampler::new(pool, &stems(), augment, FRAMES, 3).unwrap()
}

/// Where a block was cut from.
fn place_of(block: &Planar, song: &Planar) -> usize {
    let last = song.frames() - block.frames();
    let is_here = |start: &usize| difference(&song.slice(*start, 50), &block.slice(0, 50)) < 1e-3;
    (0..=last).find(is_here).expect("a block of the song")
}

/// Guards against a mixture that is only what is known of it: a model would learn that the unknown
/// stems are silent.
#[test]
fn the_unknown_part_of_a_mixture_file_stays_in_the_mixture() {
    let root = tempfile::tempdir().unwrap();
    let partly = root.path().join("partly/song");
    // The stem that nobody has labelled is in the mixture only.
    let unknown = song(&root.path().join("aside"), 50, &["unknown"]);
    let mut mixture = song(&partly, 1, &["drums", "vocals"]);
    mixture.add(&unknown);
    write(&partly.join("mixture.wav"), &mixture);
    let sampler = sampler(root.path(), None, plain());
    for index in 0..4 {
        let example = sampler.example(index);
        assert_eq!(example.usable, [true, false, false, true]);
        let start = place_of(&example.mixture, &mixture);
        let expected = mixture.slice(start, FRAMES);
        assert!(difference(&example.mixture, &expected) < ROUNDING);
        assert_eq!(example.stems[1], Planar::zeros(2, FRAMES));
    }
}

/// Guards against a stem with a false label that is taught, or missing from the mixture.
#[test]
fn stems_that_may_not_be_used_still_sound() {
    let root = tempfile::tempdir().unwrap();
    let partly = root.path().join("partly/song");
    let mixture = song(&partly, 1, &["drums", "bass", "other", "vocals"]);
    let sampler = sampler(root.path(), Some(&["drums"]), plain());
    let example = sampler.example(0);
    assert_eq!(example.usable, [true, false, false, false]);
    let start = place_of(&example.mixture, &mixture);
    assert!(difference(&example.mixture, &mixture.slice(start, FRAMES)) < ROUNDING);
}

/// Without a mixture and with a stem missing, nobody knows the song: its stems are for remixing.
#[test]
fn a_song_that_nobody_knows_whole_is_only_remixed() {
    let root = tempfile::tempdir().unwrap();
    song(&root.path().join("partly/song"), 1, &["drums"]);
    let sampler = sampler(root.path(), None, plain());
    assert_eq!(sampler.example(0).usable, [true; 4]);
    let (songs, _) = sampler.whole_songs.as_ref().unwrap();
    assert_eq!(songs.len(), 1, "the complete one");
}

/// Instrumental music, and how often it gets a voice.
fn instrumentals(root: &Path, guest: f64) -> (Sampler, Planar) {
    let mixture = song(&root.join("instrumental/song"), 1, &["mixture"]);
    let songs = SongSource {
        absent: vec!["vocals".to_owned()],
        ..source(&root.join("instrumental"), 1e9)
    };
    let augment = AugmentConfig { guest, ..plain() };
    (sampler_of(root, songs, augment), mixture)
}

/// Guards against instrumental music that teaches anything of its instruments, or that is not heard.
#[test]
fn instrumental_music_says_that_nobody_sings() {
    let root = tempfile::tempdir().unwrap();
    let (sampler, mixture) = instrumentals(root.path(), 0.0);
    let example = sampler.example(0);
    assert_eq!(example.usable, [false, false, false, true]);
    assert_eq!(example.stems[3], Planar::zeros(2, FRAMES));
    let start = place_of(&example.mixture, &mixture);
    assert!(difference(&example.mixture, &mixture.slice(start, FRAMES)) < ROUNDING);
}

/// Guards against a voice that is not in the mixture, and against one over silence.
#[test]
fn a_guest_sings_over_instrumental_music() {
    let root = tempfile::tempdir().unwrap();
    let (sampler, _) = instrumentals(root.path(), 1.0);
    for index in 0..4 {
        let example = sampler.example(index);
        assert_eq!(example.usable, [false, false, false, true]);
        let mut rest = example.stems[3].clone();
        let upside_down = |samples: &mut [f32]| samples.iter_mut().for_each(|x| *x = -*x);
        rest.channels_mut().for_each(upside_down);
        rest.add(&example.mixture);
        for (part, name) in [(&example.stems[3], "voice"), (&rest, "music")] {
            let level_dbfs = 20.0 * rms(part).log10();
            assert!((-30.1..-15.9).contains(&level_dbfs), "{name}: {level_dbfs}");
        }
    }
}

#[test]
fn a_stem_is_not_both_absent_and_there() {
    let root = tempfile::tempdir().unwrap();
    song(&root.path().join("song"), 1, &["drums", "vocals"]);
    let songs = SongSource {
        absent: vec!["vocals".to_owned()],
        ..source(root.path(), 1.0)
    };
    let message = usable_songs(&songs, &stems()).unwrap_err().to_string();
    assert!(
        message.contains("\"song\" has a file of \"vocals\""),
        "{message}"
    );
}

/// Guards against effects that change the mixture and not its parts, or the reverse.
#[test]
fn whatever_is_varied_the_mixture_is_the_sum_of_its_parts() {
    let root = tempfile::tempdir().unwrap();
    song(
        &root.path().join("partly/song"),
        1,
        &["drums", "bass", "other", "vocals"],
    );
    let sampler = sampler(root.path(), None, wild());
    for index in 0..8 {
        let example = sampler.example(index);
        assert_eq!(example.usable, [true; 4]);
        let mut sum = Planar::zeros(2, FRAMES);
        example.stems.iter().for_each(|stem| sum.add(stem));
        assert!(difference(&sum, &example.mixture) < 1e-6);
        let peak = difference(&sum, &Planar::zeros(2, FRAMES));
        assert!(peak > 0.01 && peak.is_finite(), "{peak}");
    }
}

/// Guards against examples that depend on what was drawn before them, or on who draws.
#[test]
fn an_example_depends_on_its_number_alone() {
    let root = tempfile::tempdir().unwrap();
    song(
        &root.path().join("partly/song"),
        1,
        &["drums", "bass", "other", "vocals"],
    );
    let sampler = &sampler(root.path(), None, wild());
    let forwards: Vec<Example> = (0..6).map(|index| sampler.example(index)).collect();
    let backwards: Vec<Example> = std::thread::scope(|scope| {
        let drawn: Vec<_> = (0..6)
            .rev()
            .map(|index| scope.spawn(move || sampler.example(index)))
            .collect();
        drawn.into_iter().map(|e| e.join().unwrap()).collect()
    });
    assert!(forwards.iter().eq(backwards.iter().rev()));
    assert_ne!(forwards[0], forwards[1]);
}

#[test]
fn augmentations_that_cannot_be_drawn_are_refused() {
    let mut augment = plain();
    augment.codec.probability = 1.5;
    let message = augment.validate().unwrap_err().to_string();
    assert!(message.contains("codec.probability is 1.5"), "{message}");
    let mut augment = plain();
    augment.room.decay_seconds = [0.0, 1.0];
    assert!(augment.validate().is_err(), "a room without decay");
}
