//! Scores a model on songs with known stems.
//!
//! ```text
//! song ─ Track ─ mixture ─┬─ Model ────── stems ─┐
//!          │              └─ baselines ── stems ─┤
//!          └─ true stems ────────────────────────┴─ score ─ Report ─ tables, JSON
//! ```
//!
//! - [`metrics`]: the figures themselves; [`score`]: those of a song, and their means.
//! - [`mod@bss_eval`]: SDR, ISR, SIR and SAR as museval defines them.
//! - [`ideal_mask`], [`mod@baselines`]: what to hold a model's figures against.
//! - [`track`], [`report`], [`museval_file`]: in and out.

pub mod against_museval;
pub mod baselines;
pub mod bss_eval;
pub mod ideal_mask;
pub mod metrics;
pub mod museval_file;
pub mod report;
pub mod score;
pub mod track;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bunri_model::DeviceChoice;
use bunri_model::checkpoint::write_atomically;
use bunri_stream::{HostOptions, OfflineSeparator, Planar};
use indicatif::{ProgressBar, ProgressStyle};

use crate::data::songs::{Song, discover_songs};
use crate::model::{self, Model};
use crate::stream_args::StreamArgs;
use against_museval::Museval;
use baselines::{MODEL, baselines};
use bss_eval::{BssScores, bss_eval};
use museval_file::museval_json;
use report::{Report, SongReport};
use score::{StemScores, score_song};
use track::Track;

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
    /// Also write everything to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep every 1 s window's SDR in the JSON.
    #[arg(long, requires = "json")]
    windows: bool,
    /// Where the model runs: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    stream: StreamArgs,
    /// Score the model's own output instead of stems that add up to the mixture.
    #[arg(long)]
    no_consistency: bool,
    /// Also score the mixture itself, a quarter of it, and the ideal ratio mask (4096-frame Hann
    /// windows, hop 1024).
    #[arg(long)]
    baselines: bool,
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
    let songs = chosen_songs(&args.data, &model.spec().stems, &args.songs)?;
    if let Some(path) = &args.json {
        // Better now than after an hour of separating.
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        ensure!(
            folder.is_none_or(Path::is_dir),
            "--json {}: its folder does not exist",
            path.display()
        );
    }
    if let Some(folder) = &args.museval {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("--museval {}", folder.display()))?;
    }
    let python = args.against_museval.as_deref();
    let mut museval = python.map(Museval::start).transpose()?;
    let mut reports = Vec::new();
    for (index, song) in songs.iter().enumerate() {
        let label = format!("{}/{} {}", index + 1, songs.len(), song.name);
        let report = evaluate_song(&model, song, &stems, &label, &args, &mut museval)
            .with_context(|| format!("song {}", song.name))?;
        reports.push(report);
    }
    let data = args.data.display().to_string();
    let report = Report::new(card, !args.no_consistency, data, stems, reports)
        .with_comparisons(museval.map_or_else(Vec::new, |museval| museval.comparisons));
    print!("{}", report.tables());
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report).context("cannot write the report as JSON")?;
        write_atomically(path, &json)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A whole track, by the very way that a plugin's audio goes: one block per stem, in the model's
/// order, as long as the mixture.
fn separate(
    model: &Model,
    track: &Track,
    options: HostOptions,
    progress: &ProgressBar,
) -> Result<Vec<Planar>> {
    /// About six seconds: progress that moves, and no chunk is cut into many pieces.
    const BLOCK_FRAMES: usize = 1 << 18;
    let mixture = &track.mixture;
    let mut separator = OfflineSeparator::new(model.separator()?, track.rate_hz, options)?;
    let mut stems = Vec::new();
    let mut start = 0;
    while start < mixture.frames() {
        let frames = BLOCK_FRAMES.min(mixture.frames() - start);
        separator.push(&mixture.slice(start, frames), &mut stems)?;
        start += frames;
        progress.set_position(start as u64);
    }
    separator.finish(&mut stems)?;
    Ok(stems)
}

/// One song, from its files to its scores.
fn evaluate_song(
    model: &Model,
    song: &Song,
    stems: &[String],
    label: &str,
    args: &Args,
    museval: &mut Option<Museval>,
) -> Result<SongReport> {
    let progress = progress_bar(label);
    let track = Track::load(song)?;
    progress.set_length(track.mixture.frames() as u64);
    let started = Instant::now();
    let options = HostOptions {
        consistency: !args.no_consistency,
        ..HostOptions::default()
    };
    let estimates = separate(model, &track, options, &progress)?;
    let separation_seconds = started.elapsed().as_secs_f64();

    progress.set_message(format!("{label}: scoring"));
    let mut systems = BTreeMap::new();
    let mut score = |system: &str, estimate_of: &dyn Fn(usize, &str) -> Option<Planar>| {
        let pairs: Vec<(&str, &Planar, Planar)> = track
            .stems
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| stems.contains(name))
            .filter_map(|(index, (name, truth))| {
                Some((name.as_str(), truth, estimate_of(index, name)?))
            })
            .collect();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, truth, guess)| (*name, *truth, guess))
            .collect();
        let mut scores = score_song(&pairs, track.rate_hz, args.windows);
        if system == MODEL && (museval.is_some() || args.museval.is_some()) {
            let audio: Vec<_> = pairs.iter().map(|(_, a, b)| (*a, *b)).collect();
            let found = match museval {
                Some(museval) => museval.compare(&song.name, &audio, track.rate_hz)?,
                None => bss_eval(
                    &audio,
                    track.rate_hz as usize,
                    tch::get_num_threads().unsigned_abs() as usize,
                )?,
            };
            let names = pairs.iter().map(|(name, ..)| *name);
            let targets: Vec<_> = names.zip(&found).collect();
            add_bss(&targets, &mut scores, args.museval.as_deref(), &song.name)?;
        }
        systems.insert(system.to_owned(), scores);
        Ok::<_, anyhow::Error>(())
    };
    let names = &model.spec().stems;
    score(MODEL, &|_, name| {
        let index = names.iter().position(|stem| stem == name)?;
        estimates.get(index).cloned()
    })?;
    if args.baselines {
        for (system, estimates) in baselines(&track) {
            score(system, &|index, _| estimates.get(index).cloned())?;
        }
    }
    progress.finish_and_clear();
    Ok(SongReport {
        name: song.name.clone(),
        seconds: track.seconds(),
        rate_hz: track.rate_hz,
        own_mixture: track.own_mixture,
        separation_seconds,
        systems,
    })
}

/// BSS Eval of one song's stems: its medians into `scores`, all of it into museval's file.
fn add_bss(
    targets: &[(&str, &BssScores)],
    scores: &mut StemScores,
    folder: Option<&Path>,
    song: &str,
) -> Result<()> {
    for (name, found) in targets {
        if let Some(score) = scores.get_mut(*name) {
            score.add_bss(found);
        }
    }
    let Some(folder) = folder else { return Ok(()) };
    let path = folder.join(format!("{song}.json"));
    write_atomically(&path, museval_json(targets).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
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
fn chosen_songs(data: &Path, model_stems: &[String], asked: &[String]) -> Result<Vec<Song>> {
    let mut stems = model_stems.to_vec();
    stems.extend(USUAL_STEMS.map(String::from));
    let found = discover_songs(data, &stems)?;
    if let Some(unknown) = asked
        .iter()
        .find(|name| found.iter().all(|song| song.name != **name))
    {
        let names: Vec<&str> = found.iter().map(|song| song.name.as_str()).collect();
        bail!(
            "--songs {unknown}: {} holds {}",
            data.display(),
            names.join(", ")
        );
    }
    let is_asked = |song: &Song| asked.is_empty() || asked.contains(&song.name);
    Ok(found.into_iter().filter(is_asked).collect())
}

fn progress_bar(label: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0)
        .with_style(style)
        .with_message(label.to_owned())
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
