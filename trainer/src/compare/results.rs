//! Evaluations on disk, and the arms that they are gathered into.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::evaluate::baselines::MODEL;

/// Name of an evaluation inside a run's folder.
pub const EVALUATION: &str = "evaluation.json";

/// One evaluation, as much of it as a comparison needs.
#[derive(Debug)]
pub struct Evaluation {
    /// Where it was read.
    pub path: PathBuf,
    /// Digest of the model file, in hexadecimal digits.
    pub sha256: String,
    /// Seed of the model's training, as its file says.
    pub seed: u64,
    /// How it was separated, which must be the same in all that are compared.
    pub conditions: BTreeMap<&'static str, String>,
    /// Stems in their order.
    pub stems: Vec<String>,
    /// Figures by song, stem and name; stems whose truth is silent are left out.
    pub songs: BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>,
}

/// Several trainings of one kind, which differ by their seeds.
#[derive(Debug)]
pub struct Arm {
    /// Its name in tables.
    pub name: String,
    /// Its evaluations, by seed and path.
    pub runs: Vec<Evaluation>,
}

/// What `trainer evaluate --json` writes.
#[derive(Deserialize)]
struct File {
    model: FileModel,
    data: String,
    consistency: bool,
    stems: Vec<String>,
    songs: Vec<FileSong>,
}

#[derive(Deserialize)]
struct FileModel {
    sha256: String,
    mode: String,
    provenance: FileProvenance,
}

#[derive(Deserialize)]
struct FileProvenance {
    seed: u64,
}

#[derive(Deserialize)]
struct FileSong {
    name: String,
    systems: BTreeMap<String, BTreeMap<String, BTreeMap<String, serde_json::Value>>>,
}

impl Evaluation {
    /// Reads a file that `trainer evaluate --json` wrote.
    ///
    /// # Errors
    /// A file that is not there or is something else.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let file: File = serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "{} is no evaluation (`trainer evaluate --json`)",
                path.display()
            )
        })?;
        let songs = file.songs.into_iter().map(|mut song| {
            let stems = song.systems.remove(MODEL).unwrap_or_default();
            let stems = stems.into_iter().filter_map(|(stem, figures)| {
                let silent = figures.get("silent_reference") == Some(&true.into());
                let figures = figures.into_iter();
                let figures = figures.filter_map(|(name, value)| Some((name, value.as_f64()?)));
                (!silent).then(|| (stem, figures.collect()))
            });
            (song.name, stems.collect())
        });
        Ok(Self {
            path: path.to_owned(),
            songs: songs.collect(),
            sha256: file.model.sha256,
            seed: file.model.provenance.seed,
            conditions: BTreeMap::from([
                ("data", file.data),
                ("mode", file.model.mode),
                ("consistency", file.consistency.to_string()),
            ]),
            stems: file.stems,
        })
    }
}

impl Arm {
    /// `NAME=WHERE[,WHERE...]`, or `WHERE`, which is its own name. WHERE is an evaluation, a folder
    /// with an `evaluation.json`, a folder of such folders, or a pattern (`*`, `?`, `[..]`) of any.
    ///
    /// # Errors
    /// Nothing there; a file that is no evaluation; one model twice.
    pub fn load(argument: &str) -> Result<Self> {
        let (name, places) = argument.split_once('=').unwrap_or((argument, argument));
        let mut files = BTreeSet::new();
        for place in places.split(',').filter(|place| !place.is_empty()) {
            let found = evaluations_at(place)?;
            ensure!(
                !found.is_empty(),
                "{place}: there is no such file or folder"
            );
            files.extend(found);
        }
        ensure!(
            !files.is_empty(),
            "{argument} names no file: say NAME=WHERE"
        );
        let mut runs = files
            .iter()
            .map(|path| Evaluation::load(path))
            .collect::<Result<Vec<_>>>()?;
        runs.sort_by(|a, b| (a.seed, &a.path).cmp(&(b.seed, &b.path)));
        let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
        for run in &runs {
            if let Some(other) = seen.insert(&run.sha256, &run.path) {
                bail!(
                    "{} and {} score the same weights: that is one training, not two seeds",
                    other.display(),
                    run.path.display()
                );
            }
        }
        Ok(Self {
            name: name.to_owned(),
            runs,
        })
    }

    /// The seeds, if no two runs share one.
    #[must_use]
    pub fn distinct_seeds(&self) -> Option<Vec<u64>> {
        let seeds: BTreeSet<u64> = self.runs.iter().map(|run| run.seed).collect();
        (seeds.len() == self.runs.len()).then(|| seeds.into_iter().collect())
    }
}

fn evaluations_at(place: &str) -> Result<Vec<PathBuf>> {
    let paths: Vec<PathBuf> = glob::glob(place)
        .with_context(|| format!("{place} is no pattern"))?
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for path in paths {
        if path.is_file() {
            found.push(path);
        } else if path.join(EVALUATION).is_file() {
            found.push(path.join(EVALUATION));
        } else {
            let entries = std::fs::read_dir(&path)
                .with_context(|| format!("looking into {}", path.display()))?;
            let before = found.len();
            for entry in entries {
                let file = entry?.path().join(EVALUATION);
                found.extend(file.is_file().then_some(file));
            }
            // A seed that was not evaluated must not be left out in silence.
            ensure!(
                found.len() > before,
                "{} holds no {EVALUATION}: `trainer evaluate --json` makes it",
                path.display()
            );
        }
    }
    Ok(found)
}
