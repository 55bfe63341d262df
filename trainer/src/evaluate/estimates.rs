//! Stems of the same songs that another program made, read from files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use bunri_stream::{Planar, resample_clip};

use super::track::Track;
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

/// The estimates of one song by stem, as long as the song and at its rate.
///
/// # Errors
/// A file that cannot be read, or is more than a window of BSS Eval (1 s) longer or shorter than the
/// song: it belongs to another one.
pub(super) fn read(
    folder: &Path,
    name: &str,
    stems: &[String],
    song: &Track,
) -> Result<BTreeMap<String, Planar>> {
    let track = Track::load(&of_song(folder, name, stems)?)?;
    let frames = song.mixture.frames();
    let read = track.stems.into_iter().map(|(stem, audio)| {
        let mut audio = resample_clip(&audio, track.rate_hz, song.rate_hz)
            .with_context(|| format!("--estimates: cannot convert {name}, {stem}"))?;
        ensure!(
            audio.frames().abs_diff(frames) <= song.rate_hz as usize,
            "--estimates: {stem} of {name} has {} frames, the song {frames}: is it another song?",
            audio.frames()
        );
        audio.resize_frames(frames);
        Ok((stem, audio))
    });
    read.collect()
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
