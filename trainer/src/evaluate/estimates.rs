//! Stems of the same songs that another program made, read from files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use bunri_stream::Planar;

use super::track::{Track, stereo};
use crate::data::damage::TOLERANCE_SECONDS;
use crate::data::songs::{Song, discover_songs};

/// Refuses a folder that lacks a song or a stem: better now than after an hour of separating.
///
/// # Errors
/// The first that is missing, by name.
pub(super) fn check(folder: &Path, songs: &[Song], stems: &[String]) -> Result<()> {
    for song in songs {
        let found = of_song(folder, &song.name, stems)?;
        let scored = stems.iter().filter(|stem| song.stem(stem).is_some());
        if let Some(missing) = scored.into_iter().find(|stem| found.stem(stem).is_none()) {
            bail!(
                "--estimates: {} has no {missing}.wav",
                found.folder.display()
            );
        }
    }
    Ok(())
}

/// The estimates of one song by stem, as long as the song and at its rate, and what is odd about their
/// files. An estimate with invalid samples holds NaN, and is scored as one that does.
///
/// # Errors
/// A file that cannot be read or is damaged, or is more than a window of BSS Eval (1 s) longer or
/// shorter than the song: it was cut, or belongs to another one.
pub(super) fn read(
    folder: &Path,
    name: &str,
    stems: &[String],
    song: &Track,
) -> Result<(BTreeMap<String, Planar>, Vec<String>)> {
    let (mut found, mut warnings) = (BTreeMap::new(), Vec::new());
    let frames = song.mixture.frames();
    let seconds = |frames: usize| frames as f64 / f64::from(song.rate_hz);
    for (stem, file) in of_song(folder, name, stems)?.stems {
        let mut invalid = Vec::new();
        let mut audio = stereo(&file, &mut Some(song.rate_hz), &mut invalid)?;
        let missing = frames as f64 - audio.frames() as f64;
        let missing_seconds = missing / f64::from(song.rate_hz);
        ensure!(
            missing_seconds.abs() <= 1.0,
            "{file} has {:.1} s, the song {:.1} s: it was cut off, or belongs to another song",
            seconds(audio.frames()),
            seconds(frames)
        );
        if missing_seconds > TOLERANCE_SECONDS {
            warnings.push(format!(
                "{file} ends {missing_seconds:.1} s before the song and is padded with silence"
            ));
        }
        audio.resize_frames(frames);
        if !invalid.is_empty() {
            // The reader has replaced them. Here they must not pass for silence.
            audio
                .channels_mut()
                .for_each(|channel| channel[0] = f32::NAN);
        }
        warnings.extend(invalid);
        found.insert(stem, audio);
    }
    Ok((found, warnings))
}

fn of_song(folder: &Path, name: &str, stems: &[String]) -> Result<Song> {
    let own = folder.join(name);
    let found = discover_songs(&own, stems).with_context(|| {
        format!(
            "--estimates: {} should hold the stems of {name}",
            own.display()
        )
    })?;
    found
        .into_iter()
        .next()
        .with_context(|| format!("--estimates: no stems in {}", own.display()))
}
