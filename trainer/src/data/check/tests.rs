//! Songs with one fault each: it is found, and nothing else.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::collections::BTreeMap;
use std::f32::consts::TAU;
use std::path::Path;

use bunri_stream::Planar;
use bunri_stream::files::Encoding;

use super::*;
use crate::data::fixtures::{RATE_HZ, noise, write, write_as};

type Stems = BTreeMap<&'static str, Planar>;

const FRAMES: usize = 6 * RATE_HZ as usize;

/// Four stems that sound like what they are called; the seed makes songs differ.
fn stems(seed: u64) -> Stems {
    let hiss = noise(FRAMES, seed, 0.6);
    let beat = 3_000 + 170 * seed as usize;
    let tune = |wave: &dyn Fn(f32) -> f32| {
        let samples: Vec<f32> = (0..FRAMES)
            .map(|n| wave(n as f32 / RATE_HZ as f32))
            .collect();
        Planar::from_channels(vec![samples.clone(), samples]).unwrap()
    };
    let mut drums = hiss;
    for channel in drums.channels_mut() {
        for (n, sample) in channel.iter_mut().enumerate() {
            *sample *= (-((n % beat) as f32) / 900.0).exp();
        }
    }
    let phrase = 1.0 + 0.13 * seed as f32;
    let breath = move |t: f32, turns: f32| 0.55 + 0.45 * (TAU * t * turns * phrase).sin();
    BTreeMap::from([
        ("drums", drums),
        (
            "bass",
            tune(&|t| 0.2 * breath(t, 0.9) * (TAU * 80.0 * t).sin()),
        ),
        (
            "other",
            tune(&|t| 0.1 * breath(t, 0.4) * ((TAU * 330.0 * t).sin() + (TAU * 495.0 * t).sin())),
        ),
        (
            "vocals",
            tune(&|t| {
                let vibrato = 3.0 * (TAU * 5.0 * t).sin();
                0.15 * breath(t, 1.7) * (TAU * 700.0 * t + vibrato).sin()
            }),
        ),
    ])
}

fn mixture(stems: &Stems) -> Planar {
    let mut sum = Planar::zeros(2, FRAMES);
    stems.values().for_each(|stem| sum.add(stem));
    sum
}

fn write_song(folder: &Path, stems: &Stems, mixture: &Planar) {
    for (name, audio) in stems {
        write(&folder.join(format!("{name}.wav")), audio);
    }
    write(&folder.join("mixture.wav"), mixture);
}

fn names() -> Vec<String> {
    ["drums", "bass", "other", "vocals"]
        .map(String::from)
        .to_vec()
}

/// What is found in a folder of songs: song, stem, kind.
fn findings(root: &Path) -> Vec<(String, String, Kind)> {
    let found = discover(root, &names()).unwrap();
    let options = Options {
        stems: names(),
        max_residual_db: -15.0,
    };
    let mut reports = check_all(&found.songs, &options, 2).unwrap();
    find_duplicates(&mut reports);
    report_ignored(&mut reports, found.ignored);
    let findings = reports.into_iter().flat_map(|report| report.findings);
    findings
        .map(|f| (f.song, f.stem.unwrap_or_default(), f.kind))
        .collect()
}

/// What is found in one song after `spoil`.
fn found(spoil: impl FnOnce(&mut Stems)) -> Vec<(String, Kind)> {
    let root = tempfile::tempdir().unwrap();
    let mut spoilt = stems(1);
    let mixture = mixture(&spoilt);
    spoil(&mut spoilt);
    write_song(&root.path().join("song"), &spoilt, &mixture);
    let found = findings(root.path()).into_iter();
    found.map(|(_, stem, kind)| (stem, kind)).collect()
}

#[test]
fn nothing_is_wrong_with_a_good_song() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn a_late_stem_is_named_and_the_sum_is_off() {
    let expected = [
        (String::new(), Kind::Sum),
        ("drums".to_owned(), Kind::Misaligned),
    ];
    let late = found(|stems| {
        for channel in stems.get_mut("drums").unwrap().channels_mut() {
            channel.rotate_right(160);
        }
    });
    assert_eq!(late, expected);
}

/// Guards against NaN that is not seen because every comparison with it is false, and against one
/// infinite sample that hides the rest of the song from the sum.
#[test]
fn samples_that_are_no_numbers_are_found_and_nothing_else() {
    for invalid in [f32::NAN, f32::INFINITY, 3e30] {
        let found = found(|stems| {
            stems.get_mut("vocals").unwrap().channel_mut(1)[2 * FRAMES / 3] = invalid;
        });
        assert_eq!(found, [("vocals".to_owned(), Kind::Invalid)], "{invalid}");
    }
}

#[test]
fn a_silent_stem_is_found_and_missing_in_the_sum() {
    let silent = found(|stems| {
        stems.insert("drums", Planar::zeros(2, FRAMES));
    });
    let expected = [
        ("drums".to_owned(), Kind::Silent),
        (String::new(), Kind::Sum),
    ];
    assert_eq!(silent, expected);
}

#[test]
fn stems_that_changed_places_are_doubted() {
    let swap = |a: &'static str, b: &'static str| {
        found(move |stems| {
            let (first, second) = (stems[a].clone(), stems[b].clone());
            stems.insert(a, second);
            stems.insert(b, first);
        })
    };
    let one = |stem: &str| [(stem.to_owned(), Kind::Mislabelled)];
    assert_eq!(swap("drums", "vocals"), one("vocals"));
    assert_eq!(swap("bass", "other"), one("other"));
    assert_eq!(swap("other", "vocals"), [], "beyond the rule of thumb");
}

#[test]
fn clipping_lengths_rates_and_copies_are_found() {
    let clipped = found(|stems| {
        // The mixture is made of what is clipped elsewhere: only the tops are wrong.
        for channel in stems.get_mut("drums").unwrap().channels_mut() {
            for start in (0..40).map(|i| 1_000 + 50 * i) {
                channel[start..start + 4].fill(1.0);
            }
        }
    });
    assert!(
        clipped.contains(&("drums".to_owned(), Kind::Clipped)),
        "{clipped:?}"
    );
    let short = found(|stems| stems.get_mut("bass").unwrap().resize_frames(FRAMES / 2));
    assert!(
        short.contains(&("bass".to_owned(), Kind::Length)),
        "{short:?}"
    );
    let copied = found(|stems| {
        let copy = stems["bass"].clone();
        stems.insert("other", copy);
    });
    // "other" comes after "bass" by name.
    assert!(
        copied.contains(&("other".to_owned(), Kind::Duplicate)),
        "{copied:?}"
    );

    let root = tempfile::tempdir().unwrap();
    let song = root.path().join("song");
    let good = stems(1);
    write_song(&song, &good, &mixture(&good));
    write_as(
        &song.join("bass.wav"),
        &good["bass"],
        16_000,
        Encoding::Wav16,
    );
    let found = findings(root.path());
    assert!(
        found.iter().any(|(_, _, kind)| *kind == Kind::Rate),
        "{found:?}"
    );
}

#[test]
fn a_stem_of_another_song_is_recognised_at_another_level() {
    let root = tempfile::tempdir().unwrap();
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        let mut song = stems(seed);
        if name == "c" {
            let mut copy = stems(1)["vocals"].clone();
            for channel in copy.channels_mut() {
                channel.iter_mut().for_each(|sample| *sample *= 0.7);
            }
            song.insert("vocals", copy);
        }
        write_song(&root.path().join(name), &song, &mixture(&song));
    }
    let expected = [("c".to_owned(), "vocals".to_owned(), Kind::Duplicate)];
    assert_eq!(findings(root.path()), expected);
}

#[test]
fn what_does_not_decode_and_what_is_missing_is_named() {
    let root = tempfile::tempdir().unwrap();
    let song = root.path().join("song");
    let mut some = stems(1);
    let mixture = mixture(&some);
    some.remove("vocals");
    write_song(&song, &some, &mixture);
    std::fs::write(song.join("bass.wav"), b"no audio at all").unwrap();
    let found = findings(root.path());
    let is_found = |stem: &str, kind| found.iter().any(|(_, s, k)| s == stem && *k == kind);
    assert!(is_found("bass", Kind::Unreadable), "{found:?}");
    assert!(is_found("vocals", Kind::Missing), "{found:?}");
    assert!(
        !found.iter().any(|(_, _, kind)| *kind == Kind::Sum),
        "half a song has no sum to compare: {found:?}"
    );
}
