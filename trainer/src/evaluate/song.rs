//! One song, from its files to its scores.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use bunri_stream::files::write_file;
use bunri_stream::{HostOptions, OfflineSeparator, Planar};

use super::Args;
use super::against_museval::Museval;
use super::baselines::{ESTIMATES, MODEL, baselines};
use super::bss_eval::{BssScores, bss_eval};
use super::cases::{CaseScore, score_cases};
use super::estimates;
use super::museval_file::museval_json;
use super::report::SongReport;
use super::score::{StemScores, score_song};
use super::track::Track;
use crate::data::damage::MAX_MISSING;
use crate::data::songs::Song;
use crate::model::Model;

/// A song that the model has been through.
#[derive(Debug)]
pub(super) struct Separated {
    name: String,
    track: Track,
    /// In the model's order.
    estimates: Vec<Planar>,
    separation_seconds: f64,
    cases: Vec<CaseScore>,
    /// What is odd about its files.
    warnings: Vec<String>,
    /// What was asked for and could not be done.
    errors: Vec<String>,
}

impl Separated {
    /// Reads and separates a song, by the very way that a plugin's audio goes. `progress` hears how
    /// many frames of how many are done.
    pub(super) fn new(
        model: &Model,
        song: &Song,
        args: &Args,
        progress: impl FnMut(usize, usize),
    ) -> Result<Self> {
        let max_missing = if args.allow_short { 1.0 } else { MAX_MISSING };
        let (track, warnings) = Track::load(song, max_missing)?;
        let started = Instant::now();
        let consistency = !args.no_consistency;
        let estimates = separate(model, &track.mixture, track.rate_hz, consistency, progress)?;
        let mut separated = Self {
            name: song.name.clone(),
            track,
            estimates,
            separation_seconds: started.elapsed().as_secs_f64(),
            cases: Vec::new(),
            warnings,
            errors: Vec::new(),
        };
        if args.cases {
            let cases = separated.try_cases(model, consistency);
            separated.cases = cases.unwrap_or_else(|error| {
                separated.errors.push(format!("--cases: {error:#}"));
                Vec::new()
            });
        }
        Ok(separated)
    }

    /// Puts what [`cases`](super::cases) make of the song through the same model.
    fn try_cases(&self, model: &Model, consistency: bool) -> Result<Vec<CaseScore>> {
        let rate_hz = self.track.rate_hz;
        score_cases(&self.track, &model.spec().stems, |mixture| {
            separate(model, mixture, rate_hz, consistency, |_, _| ())
        })
    }

    /// Length of the song in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.track.seconds()
    }

    /// All scores of `stems`, of the model with the names `model_stems` and of the baselines.
    /// `threads` are those that BSS Eval may use. What fails beside the model's own scores is among the
    /// report's errors.
    pub(super) fn score(
        self,
        args: &Args,
        model_stems: &[String],
        stems: &[String],
        museval: Option<&mut Museval>,
        threads: usize,
    ) -> SongReport {
        let Self {
            name,
            track,
            estimates,
            separation_seconds,
            cases,
            mut warnings,
            mut errors,
        } = self;
        let of_model = |_: usize, stem: &str| {
            let index = model_stems.iter().position(|name| name == stem)?;
            estimates.get(index)
        };
        let pairs = pairs(&track, stems, of_model);
        let mut scores = score_song(&pairs, track.rate_hz, args.windows);
        let mut bss_is_determined = None;
        if museval.is_some() || args.museval.is_some() {
            let found = bss(&pairs, &name, track.rate_hz, museval, threads);
            let found = found.and_then(|found| {
                bss_is_determined = found.first().map(|scores| scores.is_determined);
                let names = pairs.iter().map(|(name, ..)| *name);
                let targets: Vec<_> = names.zip(&found).collect();
                add_bss(&targets, &mut scores, args.museval.as_deref(), &name)
            });
            errors.extend(found.err().map(|error| format!("BSS Eval: {error:#}")));
        }
        let mut systems = BTreeMap::from([(MODEL.to_owned(), scores)]);
        if args.baselines {
            for (system, estimates) in baselines(&track) {
                let pairs = self::pairs(&track, stems, |index, _| estimates.get(index));
                let scores = score_song(&pairs, track.rate_hz, args.windows);
                systems.insert(system.to_owned(), scores);
            }
        }
        if let Some(folder) = &args.estimates {
            match estimates::read(folder, &name, stems, &track) {
                Ok((estimates, odd)) => {
                    warnings.extend(odd);
                    let pairs = self::pairs(&track, stems, |_, stem| estimates.get(stem));
                    let scores = score_song(&pairs, track.rate_hz, args.windows);
                    systems.insert(ESTIMATES.to_owned(), scores);
                }
                Err(error) => errors.push(format!("--estimates: {error:#}")),
            }
        }
        SongReport {
            seconds: track.seconds(),
            rate_hz: track.rate_hz,
            own_mixture: track.own_mixture,
            name,
            separation_seconds,
            bss_is_determined,
            systems,
            cases,
            warnings,
            errors,
        }
    }
}

/// BSS Eval of one song's stems, here alone or here and in museval.
fn bss(
    pairs: &[(&str, &Planar, &Planar)],
    song: &str,
    rate_hz: u32,
    museval: Option<&mut Museval>,
    threads: usize,
) -> Result<Vec<BssScores>> {
    let audio: Vec<_> = pairs.iter().map(|(_, a, b)| (*a, *b)).collect();
    match museval {
        Some(museval) => museval.compare(song, &audio, rate_hz),
        None => Ok(bss_eval(&audio, rate_hz as usize, threads)?),
    }
}

/// A mixture as the plugin's audio goes through the model: stems in the model's order, of the same
/// length.
fn separate(
    model: &Model,
    mixture: &Planar,
    rate_hz: u32,
    consistency: bool,
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<Planar>> {
    /// About six seconds: progress that moves, and no chunk is cut into many pieces.
    const BLOCK_FRAMES: usize = 1 << 18;
    let options = HostOptions {
        consistency,
        ..HostOptions::default()
    };
    let mut separator = OfflineSeparator::new(model.separator()?, rate_hz, options)?;
    let mut estimates = Vec::new();
    let frames = mixture.frames();
    let mut start = 0;
    while start < frames {
        let block = BLOCK_FRAMES.min(frames - start);
        separator.push(&mixture.slice(start, block), &mut estimates)?;
        start += block;
        progress(start, frames);
    }
    separator.finish(&mut estimates)?;
    Ok(estimates)
}

/// Name, truth and estimate of every scored stem that has both.
fn pairs<'a>(
    track: &'a Track,
    stems: &[String],
    estimate_of: impl Fn(usize, &str) -> Option<&'a Planar>,
) -> Vec<(&'a str, &'a Planar, &'a Planar)> {
    let all = track.stems.iter().enumerate();
    all.filter(|(_, (name, _))| stems.contains(name))
        .filter_map(|(index, (name, truth))| {
            Some((name.as_str(), truth, estimate_of(index, name)?))
        })
        .collect()
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
    write_file(&path, museval_json(targets).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}
