//! A song whose stems are known: what a separation sounds like, and how far it is from the truth.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bunri_stream::{Encoding, FileReader, FileWriter, Planar, read_clip};

use super::console::Console;
use super::record::{InputRecord, ModelRecord, OptionsRecord, Record};
use super::separate_file::{Job, Separated};
use super::targets::Target;
use crate::evaluate::metrics::{nsdr, track_level_dbfs};
use crate::evaluate::score::ACTIVE_FLOOR_DBFS;
use crate::render::{RenderedSong, Sources, render_song};
use crate::table::{Table, db_cell};

/// The demo's song: far from the seeds of any training set here, and with four stems that are about
/// equally loud and play most of the time.
const SEED: u64 = 900_043;
const SECONDS: f64 = 30.0;
/// The song, in the demo's folder.
pub(super) const MIXTURE: &str = "mixture.wav";
/// The record that tells a demo's folder from a song's.
const RECORD: &str = "bunri.json";

/// Where the demo's files lie.
#[derive(Debug)]
pub(super) struct Demo {
    /// Its folder in the output folder.
    pub(super) folder: PathBuf,
    /// What came of the separation.
    pub(super) separated: Separated,
    /// Figures for each target.
    pub(super) table: Table,
}

/// Renders the song, writes mixture and true stems, separates the mixture and compares.
///
/// # Errors
/// A song that cannot be rendered, a full disk, a model that fails, an interruption.
pub(super) fn run(
    job: &Job<'_>,
    console: Console,
    options: OptionsRecord,
    output: &Path,
) -> Result<Demo> {
    let folder = free_folder(output);
    console.say(format_args!(
        "no file given: rendering a demo song of {SECONDS:.0} s ..."
    ));
    let song = render_song(SEED, SECONDS, &Sources::discover(None, &[])?)?;
    console.say(format_args!(
        "  {}, {:.0} beats per minute, {}",
        song.notes.genre, song.notes.tempo_bpm, song.notes.key
    ));
    job.interrupt.check()?;
    let mixture = folder.join(MIXTURE);
    let input = InputRecord {
        path: mixture.display().to_string(),
        ..InputRecord::default()
    };
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    // The folder is a demo's from here on.
    Record::begun(input, ModelRecord::of(job.model)?, options).write(&folder.join(RECORD))?;
    write_truth(&song, &folder)?;
    let stems = folder.join("stems");
    let results = job.results(|stem, ending| stems.join(format!("{stem}.{ending}")));
    let reader = FileReader::open(&mixture)?;
    let separated = job.separate(reader, &mixture, &results, |_| Ok(()))?;
    let table = table(&song, job, &separated)?;
    Ok(Demo {
        folder,
        separated,
        table,
    })
}

/// `demo` in the output folder; with a number, where something is there that is not an earlier demo's.
fn free_folder(output: &Path) -> PathBuf {
    let is_of_a_demo = |folder: &Path| {
        let record = Record::read(&folder.join(RECORD));
        record.is_some_and(|record| Path::new(&record.input.path).ends_with(MIXTURE))
    };
    let numbered = (2..).map(|number| output.join(format!("demo ({number})")));
    let mut folders = std::iter::once(output.join("demo")).chain(numbered);
    let free = folders.find(|folder| !folder.exists() || is_of_a_demo(folder));
    free.unwrap_or_else(|| output.join("demo"))
}

/// Writes `truth/<stem>.wav` and the mixture.
fn write_truth(song: &RenderedSong, folder: &Path) -> Result<()> {
    let truth = folder.join("truth");
    fs::create_dir_all(&truth)
        .with_context(|| format!("cannot create the folder {}", truth.display()))?;
    let write = |path: &Path, audio: &Planar| -> Result<()> {
        // The song lies on the 16-bit grid: nothing is rounded.
        let channels = audio.channel_count();
        let mut file = FileWriter::create(path, song.rate_hz, channels, Encoding::Wav16)?;
        file.write(audio)?;
        file.finish()?;
        Ok(())
    };
    for (name, stem) in &song.stems {
        write(&truth.join(format!("{name}.wav")), stem)?;
    }
    write(&folder.join(MIXTURE), &song.mixture())
}

/// Compares the files as they were written, which is what the user hears.
fn table(song: &RenderedSong, job: &Job<'_>, separated: &Separated) -> Result<Table> {
    let mixture = song.mixture();
    let mut rows = Vec::new();
    for (target, file) in job.targets.iter().zip(&separated.stems) {
        let truth = truth(song, &job.model.spec().stems, target);
        // A ratio to silence says nothing.
        let truth = truth.filter(|truth| track_level_dbfs(truth) > ACTIVE_FLOOR_DBFS);
        let stem = read_clip(&file.path)?.audio;
        let of_stem = truth.as_ref().map(|truth| nsdr(truth, &stem));
        let of_mixture = truth.as_ref().map(|truth| nsdr(truth, &mixture));
        let gained = of_stem
            .zip(of_mixture)
            .map(|(stem, mixture)| stem - mixture);
        rows.push(vec![
            target.name.clone(),
            db_cell(of_stem),
            db_cell(of_mixture),
            db_cell(gained),
        ]);
    }
    Ok(Table {
        title: "whole-track SDR against the truth, in dB (silence scores 0)".into(),
        words: 1,
        header: ["stem", "separated", "untouched mixture", "gained"]
            .map(String::from)
            .to_vec(),
        rows,
    })
}

/// What a target should be: the sum of the true stems with the names of its parts; `None` where
/// the song has no such stem.
fn truth(song: &RenderedSong, model_stems: &[String], target: &Target) -> Option<Planar> {
    let stems: Option<Vec<Planar>> = target
        .parts
        .iter()
        .map(|&part| {
            let found = song
                .stems
                .iter()
                .find(|(name, _)| *name == model_stems[part]);
            found.map(|(_, stem)| stem.clone())
        })
        .collect();
    stems?.into_iter().reduce(|mut sum, stem| {
        sum.add(&stem);
        sum
    })
}
