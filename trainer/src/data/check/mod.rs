//! `trainer data check`: what is wrong with songs, before a training finds out.
//!
//! ```text
//! files of a song, side by side ─ listen (levels, tops, tone) ─┬─ song (alone, together, lengths)
//!                                 products, mono copies ───────┤   ├─ lag (slips against the mixture)
//!                                 envelopes ─ duplicates       └─ labels (sounds like another stem)
//! ```

mod duplicates;
mod labels;
mod lag;
mod listen;
mod song;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, anyhow, bail, ensure};
use indicatif::ProgressBar;
use serde::Serialize;

use self::listen::Heard;
use self::song::SongReport;
use super::songs::{Ignored, Song, discover};
use crate::json_file::JsonFile;
use crate::table::Table;

/// Command line of `trainer data check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of songs, or single songs: folders of stems, or .stem.mp4 files.
    #[arg(required_unless_present = "json")]
    pub folders: Vec<PathBuf>,
    /// The stems that songs should have.
    #[arg(long, value_delimiter = ',', default_value = "drums,bass,other,vocals")]
    pub stems: Vec<String>,
    /// Kinds of findings that are in order here, and are not reported.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub allow: Vec<Kind>,
    /// How much of the mixture may be missing in the sum of the stems, in dB.
    #[arg(long, default_value_t = -15.0, allow_negative_numbers = true)]
    pub max_residual_db: f64,
    /// Songs read at a time, each with up to 110 MB a file; one per core where left out.
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Where the measurements go.
    #[command(flatten)]
    pub json: JsonFile,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file that does not decode, or not to its end.
    Unreadable,
    /// Samples that are NaN, infinite or above +60 dBFS.
    Invalid,
    /// What looks like a stem or a song and is not read as one.
    Ignored,
    /// A stem without a file.
    Missing,
    /// Nothing above -60 dBFS.
    Silent,
    /// Tops cut flat at full scale.
    Clipped,
    /// Files of one song of different lengths.
    Length,
    /// Files of one song at different rates.
    Rate,
    /// Stems that do not add up to the mixture.
    Sum,
    /// A stem that comes late or early against the mixture.
    Misaligned,
    /// A stem that sounds like another one.
    Mislabelled,
    /// The same recording twice.
    Duplicate,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    song: String,
    stem: Option<String>,
    kind: Kind,
    detail: String,
}

/// What songs are held against.
struct Options {
    stems: Vec<String>,
    max_residual_db: f64,
}

/// Checks songs and prints what was found.
///
/// # Errors
/// A folder without songs; anything that is wrong with a song and not allowed, so that scripts stop.
pub fn run(mut args: Args) -> Result<()> {
    if let Some(folder) = args.json.take_input(Path::is_dir) {
        args.folders.insert(0, folder);
    }
    ensure!(!args.folders.is_empty(), "name a folder of songs");
    args.json.check()?;
    ensure!(!args.stems.is_empty(), "--stems names no stem");
    let options = Options {
        stems: args.stems.clone(),
        max_residual_db: args.max_residual_db,
    };
    let (mut songs, mut ignored) = (Vec::new(), Vec::new());
    for folder in &args.folders {
        let found = discover(folder, &args.stems)?;
        songs.extend(found.songs);
        ignored.extend(found.ignored);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut reports = check_all(&songs, &options, args.jobs.unwrap_or(cores).max(1))?;
    find_duplicates(&mut reports);
    report_ignored(&mut reports, ignored);
    for report in &mut reports {
        report.findings.retain(|f| !args.allow.contains(&f.kind));
    }
    args.json.deliver(&reports, &table(&reports).to_string())?;
    let wrong = reports.iter().filter(|r| !r.findings.is_empty()).count();
    if wrong > 0 {
        bail!(
            "{wrong} of {} songs need a look; --allow KIND accepts what is in order here",
            reports.len()
        );
    }
    Ok(())
}

/// Reports in the order of the songs, `jobs` at a time.
fn check_all(songs: &[Song], options: &Options, jobs: usize) -> Result<Vec<SongReport>> {
    let bar = ProgressBar::new(songs.len() as u64);
    let queue = Mutex::new(songs.iter().enumerate());
    let done = Mutex::new(Vec::new());
    let lost = || anyhow!("a thread that checks songs has ended early; its message stands above");
    let work = || -> Result<()> {
        loop {
            let Some((index, song)) = queue.lock().map_err(|_| lost())?.next() else {
                return Ok(());
            };
            bar.set_message(song.name.clone());
            let report = song::check(song, options);
            done.lock().map_err(|_| lost())?.push((index, report));
            bar.inc(1);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.min(songs.len()))
            .map(|_| scope.spawn(work))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| lost())?)
    })?;
    bar.finish_and_clear();
    let mut reports = done.into_inner().map_err(|_| lost())?;
    reports.sort_by_key(|(index, _)| *index);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// Looks for one recording in several songs.
fn find_duplicates(reports: &mut [SongReport]) {
    let files: Vec<(usize, String, &Heard)> = reports
        .iter()
        .enumerate()
        .flat_map(|(song, report)| {
            let files = report.files.iter();
            files.map(move |(name, heard)| (song, name.clone(), heard))
        })
        .collect();
    let heard: Vec<&Heard> = files.iter().map(|(_, _, heard)| *heard).collect();
    let mut found = BTreeSet::new();
    for (first, second) in duplicates::pairs(&heard) {
        let ((song, name, _), (other, other_name, _)) = (&files[first], &files[second]);
        // Within a song the samples themselves were compared.
        if song != other {
            found.insert((*other, other_name.clone(), *song, name.clone()));
        }
    }
    for (song, stem, other, other_stem) in found {
        let detail = format!("the same as {other_stem} of {}", reports[other].name);
        let finding = Finding {
            song: reports[song].name.clone(),
            stem: Some(stem),
            kind: Kind::Duplicate,
            detail,
        };
        reports[song].findings.push(finding);
    }
}

/// Adds what was not read to the reports of its songs, or to new ones.
fn report_ignored(reports: &mut Vec<SongReport>, ignored: Vec<Ignored>) {
    for ignored in ignored {
        let folder = ignored.folder.display().to_string();
        let found = reports.iter().position(|report| report.folder == folder);
        let index = found.unwrap_or_else(|| {
            reports.push(SongReport::new(&ignored.song, &ignored.folder));
            reports.len() - 1
        });
        reports[index].find(None, Kind::Ignored, ignored.to_string());
    }
}

fn table(reports: &[SongReport]) -> Table {
    let seconds: f64 = reports
        .iter()
        .map(|report| {
            let seconds = report.files.values().map(Heard::seconds);
            seconds.fold(0.0, f64::max)
        })
        .sum();
    let findings = reports.iter().flat_map(|report| &report.findings);
    let rows: Vec<Vec<String>> = findings
        .map(|finding| {
            vec![
                finding.song.clone(),
                finding.stem.clone().unwrap_or_else(|| "–".into()),
                format!("{:?}", finding.kind).to_lowercase(),
                finding.detail.clone(),
            ]
        })
        .collect();
    let noun = if reports.len() == 1 { "song" } else { "songs" };
    Table {
        title: format!(
            "{} {noun}, {:.0} min: {} findings",
            reports.len(),
            seconds / 60.0,
            rows.len()
        ),
        words: 4,
        header: ["song", "stem", "finding", "detail"]
            .map(String::from)
            .to_vec(),
        rows,
    }
}

#[cfg(test)]
mod tests;
