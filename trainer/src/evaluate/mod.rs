//! Scores a model on songs with known stems.
//!
//! ```text
//! song ─ Track ─ mixture ─┬─ Model ────── stems ─┐
//!          │              └─ baselines ── stems ─┤
//!          └─ true stems ────────────────────────┴─ score ─ Report ─ tables, JSON
//! ```
//!
//! - [`metrics`], [`spectral`]: the figures themselves; [`score`]: those of a song, and their means.
//! - [`mod@bss_eval`]: SDR, ISR, SIR and SAR as museval defines them.
//! - [`ideal_mask`], [`mod@baselines`], `estimates`: what to hold a model's figures against.
//! - [`cases`]: the same model on what no test set holds.
//! - [`track`], [`report`], [`museval_file`]: in and out; `song`: one from its files to its scores.
//! - [`against_museval`]: the reference package on the same stems.

pub mod against_museval;
pub mod baselines;
pub mod bss_eval;
pub mod cases;
mod estimates;
pub mod ideal_mask;
pub mod metrics;
pub mod museval_file;
mod progress;
pub mod report;
pub mod score;
mod song;
pub mod spectral;
pub mod track;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bunri_model::DeviceChoice;

use crate::data::songs::{Discovered, Ignored, Song, discover};
use crate::json_file::JsonFile;
use crate::model::{self, Model};
use crate::output::eprint_line;
use crate::stream_args::StreamArgs;
use against_museval::Museval;
use progress::Progress;
use report::{FailedSong, Report, SongReport};
use song::Separated;

/// Stem files whose sum is the mixture where a song has no `mixture.*`, beside the model's own.
const USUAL_STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// Command line of `evaluate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Model to score, .safetensors or the .toml of a TorchScript one, or `default`: the model that comes with the program.
    #[arg(long, value_name = "FILE", default_value = model::DEFAULT)]
    model: PathBuf,
    /// Folder with one folder per song, in it one audio file per stem (MUSDB18-HQ's layout).
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Only these songs, by folder name.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    songs: Vec<String>,
    /// Score only these stems; the others still sound in the mixture.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    stems: Vec<String>,
    #[command(flatten)]
    json: JsonFile,
    /// Keep every 1 s window's SDR in the JSON.
    #[arg(long, requires = "json")]
    windows: bool,
    /// Where the model runs: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    stream: StreamArgs,
    /// Songs that are scored at the same time, while the next one is separated [default: a core each].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Also score songs with files that end before 90 % of the song: silence stands for the rest.
    #[arg(long)]
    allow_short: bool,
    /// Score the model's own output instead of stems that add up to the mixture.
    #[arg(long)]
    no_consistency: bool,
    /// Also score the mixture itself, a quarter of it, and the ideal ratio mask (4096-frame Hann
    /// windows, hop 1024).
    #[arg(long)]
    baselines: bool,
    /// Also score stems that another program made of these songs: `DIR/SONG/STEM.wav`.
    #[arg(long, value_name = "DIR")]
    estimates: Option<PathBuf>,
    /// Also put 20 s of each song through what test sets do not hold: silence, each stem alone, mono, a
    /// telephone, clipping.
    #[arg(long)]
    cases: bool,
    /// Also measure ISR, SIR and SAR of the model's stems (BSS Eval v4), and write them to this folder
    /// as museval does: a JSON file for each song.
    #[arg(long, value_name = "DIR")]
    museval: Option<PathBuf>,
    /// Also let PyPI museval 0.4.1 score the same stems, in this Python (e.g. venv/bin/python), and
    /// print how far it is from our figures and how long both took.
    #[arg(long, value_name = "PYTHON")]
    against_museval: Option<PathBuf>,
}

/// Runs the subcommand: tables on standard output, progress on standard error.
///
/// # Errors
/// When the model, the songs or the stems asked for are not there, or a file cannot be read or
/// written.
pub fn run(args: Args) -> Result<()> {
    let model = Model::load(&args.model, args.device, args.stream)?;
    let card = model.card()?;
    let stems = scored_stems(&model.spec().stems, &args.stems)?;
    let Discovered { songs, ignored } = chosen_songs(&args.data, &model.spec().stems, &args.songs)?;
    for ignored in &ignored {
        eprint_line!("warning: {ignored}");
    }
    args.json.check()?;
    if let Some(folder) = &args.museval {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("--museval {}", folder.display()))?;
    }
    if let Some(folder) = &args.estimates {
        estimates::check(folder, &songs, &stems)?;
    }
    let python = args.against_museval.as_deref();
    let mut museval = python.map(Museval::start).transpose()?;
    let (scored, failed) = evaluate_songs(&model, &songs, &stems, &args, museval.as_mut());
    let data = args.data.display().to_string();
    let ignored = ignored.iter().map(Ignored::to_string).collect();
    let report = Report::new(card, !args.no_consistency, data, stems, scored)
        .with_failures(failed, ignored)
        .with_comparisons(museval.map_or_else(Vec::new, |museval| museval.comparisons));
    args.json.deliver(&report, &report.tables())?;
    let failures = report.failures();
    ensure!(
        failures.is_empty(),
        "not everything could be scored, of {} songs:\n  {}",
        songs.len(),
        failures.join("\n  ")
    );
    Ok(())
}

/// Separates song after song, and scores up to `--jobs` of them meanwhile: so many and one more are
/// in memory. A song beside museval has the machine for itself. A song that fails does not stop the
/// others.
fn evaluate_songs(
    model: &Model,
    songs: &[Song],
    stems: &[String],
    args: &Args,
    mut museval: Option<&mut Museval>,
) -> (Vec<SongReport>, Vec<FailedSong>) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from);
    let threads = (cores / jobs).max(1);
    let names = &model.spec().stems;
    let mut progress = Progress::new(songs.len());
    let (mut scored, mut failed) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let mut running = VecDeque::new();
        let mut end = |song: &Song, report: Result<SongReport>| match report {
            Ok(report) => scored.push(report),
            Err(error) => failed.push(FailedSong {
                name: song.name.clone(),
                error: format!("{error:#}"),
            }),
        };
        for song in songs {
            progress.begin(&song.name);
            let separated = Separated::new(model, song, args, |done, of| {
                progress.separated(done, of);
            });
            let separated = match separated {
                Ok(separated) => separated,
                Err(error) => {
                    progress.say(&format!("{} is left out: {error:#}", song.name));
                    end(song, Err(error));
                    continue;
                }
            };
            progress.finish_song(separated.seconds());
            if let Some(museval) = &mut museval {
                end(
                    song,
                    Ok(separated.score(args, names, stems, Some(museval), cores)),
                );
                continue;
            }
            if running.len() >= jobs
                && let Some((song, scoring)) = running.pop_front()
            {
                end(song, joined(scoring));
            }
            let scoring = scope.spawn(move || separated.score(args, names, stems, None, threads));
            running.push_back((song, scoring));
        }
        progress.finish();
        for (song, scoring) in running {
            end(song, joined(scoring));
        }
    });
    (scored, failed)
}

/// A scoring thread's result. A panic, whose message is on standard error, costs its song only.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> Result<T> {
    let joined = thread.join();
    joined.map_err(|_| anyhow!("scoring it has ended in a panic: its message stands above"))
}

/// The model's stems that are to be scored, in the model's order.
fn scored_stems(model: &[String], asked: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|stem| !model.contains(stem)) {
        bail!("--stems {unknown}: the model makes {}", model.join(", "));
    }
    let is_asked = |stem: &&String| asked.is_empty() || asked.contains(stem);
    Ok(model.iter().filter(is_asked).cloned().collect())
}

/// The songs that are to be scored.
fn chosen_songs(data: &Path, model_stems: &[String], asked: &[String]) -> Result<Discovered> {
    let mut stems = model_stems.to_vec();
    stems.extend(USUAL_STEMS.map(String::from));
    let mut found = discover(data, &stems)?;
    let songs = &mut found.songs;
    if let Some(unknown) = asked
        .iter()
        .find(|name| songs.iter().all(|song| song.name != **name))
    {
        let names: Vec<&str> = songs.iter().map(|song| song.name.as_str()).collect();
        bail!(
            "--songs {unknown}: {} holds {}",
            data.display(),
            names.join(", ")
        );
    }
    if !asked.is_empty() {
        songs.retain(|song| asked.contains(&song.name));
        found
            .ignored
            .retain(|ignored| asked.contains(&ignored.song));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn stems_keep_the_model_s_order_and_unknown_ones_are_named() {
        let model = names(&["drums", "bass", "other", "vocals"]);
        let stems = scored_stems(&model, &names(&["vocals", "drums"])).unwrap();
        assert_eq!(stems, names(&["drums", "vocals"]));
        let message = scored_stems(&model, &names(&["piano"]))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("piano") && message.contains("drums, bass"),
            "{message}"
        );
    }
}
