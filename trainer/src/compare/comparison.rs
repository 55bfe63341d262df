//! Arms against the first of them, figure by figure, stem by stem.
//!
//! The unit of replication is the training: a difference counts where it is larger than what other
//! seeds would make of the same method (Bouthillier et al., *Accounting for Variance in Machine
//! Learning Benchmarks*, 2021). Beside it stands the difference over songs, of the same trainings:
//! whether it would be found on other songs, too.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use serde::Serialize;

use super::figures::{Figure, OverSongs};
use super::results::{Arm, Evaluation};
use super::statistics::{Difference, Spread, holm};

/// Name of the mean over stems, beside the stems.
pub const MEAN: &str = "mean";

/// What a difference amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its interval leaves 0 out, also with Holm's correction for all stems and arms of the figure.
    Stands,
    /// Its interval leaves 0 out, but among so many differences one such is expected by chance.
    OnlyAlone,
    /// Its interval holds 0: seeds alone make differences like it.
    InsideNoise,
    /// An arm has one training only: nothing is known about the noise.
    Unknown,
}

/// One arm's difference from the first, in one figure of one stem.
#[derive(Clone, Debug, Serialize)]
pub struct Contrast {
    /// The arm.
    pub arm: String,
    /// The stem, or [`MEAN`].
    pub stem: String,
    /// Over trainings: of the runs' figures.
    pub over_seeds: Difference,
    /// Over songs, of each song's mean over trainings.
    pub over_songs: Difference,
    /// What it amounts to, by seeds.
    pub verdict: Verdict,
}

/// One figure of all arms.
#[derive(Clone, Debug, Serialize)]
pub struct FigureComparison {
    /// Its key in an evaluation.
    pub key: &'static str,
    /// Its name in tables.
    pub title: &'static str,
    /// How each run's figure comes from its songs'.
    pub run_figure: OverSongs,
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// By arm (in their order) and stem.
    pub arms: Vec<(String, BTreeMap<String, Spread>)>,
    /// Every other arm less the first.
    pub contrasts: Vec<Contrast>,
}

/// All figures of all arms.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The arm that the others are held against.
    pub baseline: String,
    /// Files by arm.
    pub files: Vec<(String, Vec<String>)>,
    /// Whether the arms were trained from the same seeds, which makes pairs of their runs.
    pub paired_by_seed: bool,
    /// Songs that every evaluation has; no others were looked at.
    pub songs: Vec<String>,
    /// Stems, in their order.
    pub stems: Vec<String>,
    /// What a reader should know before believing any of it.
    pub warnings: Vec<String>,
    /// Figure by figure.
    pub figures: Vec<FigureComparison>,
}

impl Comparison {
    /// Compares `arms` with the first of them in those `figures` that all evaluations hold.
    ///
    /// # Errors
    /// Fewer than two arms, or no song or figure that all evaluations share.
    pub fn new(arms: &[Arm], figures: &[Figure]) -> Result<Self> {
        ensure!(arms.len() > 1, "a comparison needs at least two arms");
        let runs = || arms.iter().flat_map(|arm| &arm.runs);
        let songs_of = |run: &Evaluation| run.songs.keys().cloned().collect::<BTreeSet<_>>();
        let mut common: Option<BTreeSet<String>> = None;
        let mut every = BTreeSet::new();
        for run in runs() {
            let songs = songs_of(run);
            every.extend(songs.iter().cloned());
            common = Some(match common {
                Some(common) => &common & &songs,
                None => songs,
            });
        }
        let songs: Vec<String> = common.unwrap_or_default().into_iter().collect();
        ensure!(!songs.is_empty(), "the evaluations have no song in common");
        let stems = runs().next().map(|run| run.stems.clone());
        let paired = is_paired(arms);
        let mut warnings = warnings(arms, paired);
        if every.len() > songs.len() {
            warnings.push(format!(
                "{} of {} songs are not in every evaluation and are left out",
                every.len() - songs.len(),
                every.len()
            ));
        }
        let task = Task {
            arms,
            paired,
            songs: &songs,
            stems: &stems.unwrap_or_default(),
        };
        let figures: Vec<_> = figures.iter().filter_map(|f| task.figure(*f)).collect();
        ensure!(!figures.is_empty(), "no figure is in every evaluation");
        let names = |arm: &Arm| {
            arm.runs
                .iter()
                .map(|r| r.path.display().to_string())
                .collect()
        };
        Ok(Self {
            baseline: arms[0].name.clone(),
            files: arms
                .iter()
                .map(|arm| (arm.name.clone(), names(arm)))
                .collect(),
            paired_by_seed: paired,
            stems: task.stems.to_vec(),
            figures,
            warnings,
            songs,
        })
    }
}

/// What all figures share.
struct Task<'a> {
    arms: &'a [Arm],
    paired: bool,
    songs: &'a [String],
    stems: &'a [String],
}

impl Task<'_> {
    /// `None` where some run has no value of it in any song.
    fn figure(&self, figure: Figure) -> Option<FigureComparison> {
        let of_arms: Vec<BTreeMap<String, Vec<f64>>> = self
            .arms
            .iter()
            .map(|arm| self.run_figures(arm, figure))
            .collect::<Option<_>>()?;
        let spreads = self.arms.iter().zip(&of_arms).map(|(arm, stems)| {
            let spreads = stems
                .iter()
                .filter_map(|(stem, runs)| Some((stem.clone(), Spread::of(runs)?)));
            (arm.name.clone(), spreads.collect())
        });
        let mut contrasts = Vec::new();
        for (arm, runs) in self.arms.iter().zip(&of_arms).skip(1) {
            for stem in self.stems.iter().map(String::as_str).chain([MEAN]) {
                let (Some(a), Some(b)) = (of_arms[0].get(stem), runs.get(stem)) else {
                    continue;
                };
                let over_seeds = if self.paired {
                    let pairs = a.iter().zip(b);
                    Difference::of_pairs(&pairs.map(|(a, b)| b - a).collect::<Vec<_>>())
                } else {
                    Difference::of_samples(a, b)
                };
                let (Some(over_seeds), Some(over_songs)) =
                    (over_seeds, self.over_songs(arm, figure, stem))
                else {
                    continue;
                };
                contrasts.push(Contrast {
                    arm: arm.name.clone(),
                    stem: stem.to_owned(),
                    over_seeds,
                    over_songs,
                    verdict: Verdict::Unknown,
                });
            }
        }
        judge(&mut contrasts);
        Some(FigureComparison {
            key: figure.key,
            title: figure.title,
            run_figure: figure.over_songs,
            higher_is_better: figure.higher_is_better,
            arms: spreads.collect(),
            contrasts,
        })
    }

    /// Every run's figure by stem, and their mean over stems as [`MEAN`].
    fn run_figures(&self, arm: &Arm, figure: Figure) -> Option<BTreeMap<String, Vec<f64>>> {
        let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for run in &arm.runs {
            let mut stems = Vec::new();
            for stem in self.stems {
                let songs = self.songs.iter();
                let values = songs.filter_map(|song| value(run, song, stem, figure));
                if let Some(value) = figure.over_songs.of(values) {
                    stems.push(value);
                    found.entry(stem.clone()).or_default().push(value);
                }
            }
            let mean = OverSongs::Mean.of(stems)?;
            found.entry(MEAN.to_owned()).or_default().push(mean);
        }
        // A stem that some run lacks cannot be compared.
        found.retain(|_, runs| runs.len() == arm.runs.len());
        Some(found)
    }

    /// The mean over songs of the difference between both arms' means over runs.
    fn over_songs(&self, arm: &Arm, figure: Figure, stem: &str) -> Option<Difference> {
        let of_song = |arm: &Arm, song: &String| {
            let of_run = |run| match stem {
                MEAN => {
                    let stems = self.stems.iter();
                    OverSongs::Mean.of(stems.filter_map(|stem| value(run, song, stem, figure)))
                }
                stem => value(run, song, stem, figure),
            };
            let values: Option<Vec<f64>> = arm.runs.iter().map(of_run).collect();
            OverSongs::Mean.of(values?)
        };
        let songs = self.songs.iter();
        let differences: Vec<f64> = songs
            .filter_map(|song| Some(of_song(arm, song)? - of_song(&self.arms[0], song)?))
            .collect();
        Difference::of_pairs(&differences)
    }
}

fn value(run: &Evaluation, song: &str, stem: &str, figure: Figure) -> Option<f64> {
    run.songs.get(song)?.get(stem)?.get(figure.key).copied()
}

/// Whether all arms were trained from the same seeds, each of them once.
fn is_paired(arms: &[Arm]) -> bool {
    let first = arms[0].distinct_seeds();
    first.is_some() && arms.iter().all(|arm| arm.distinct_seeds() == first)
}

/// Fills in the verdicts, of all differences of a figure together.
fn judge(contrasts: &mut [Contrast]) {
    let (p, questions): (Vec<f64>, Vec<&mut Contrast>) = contrasts
        .iter_mut()
        .filter_map(|contrast| Some((contrast.over_seeds.p?, contrast)))
        .unzip();
    for (contrast, stands) in questions.into_iter().zip(holm(&p)) {
        contrast.verdict = match (contrast.over_seeds.excludes_zero(), stands) {
            (Some(true), true) => Verdict::Stands,
            (Some(true), false) => Verdict::OnlyAlone,
            (Some(false), _) => Verdict::InsideNoise,
            (None, _) => Verdict::Unknown,
        };
    }
}

fn warnings(arms: &[Arm], paired: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    let single: Vec<&str> = arms
        .iter()
        .filter(|arm| arm.runs.len() == 1)
        .map(|arm| arm.name.as_str())
        .collect();
    if !single.is_empty() {
        warnings.push(format!(
            "one training only of {}: how much seeds alone change is unknown, so no difference can be \
             told from it",
            single.join(", ")
        ));
    } else if !paired {
        warnings.push(
            "the arms' seeds differ: their runs are compared as two samples, which needs more of them \
             than pairs do"
                .to_owned(),
        );
    }
    let mut conditions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for run in arms.iter().flat_map(|arm| &arm.runs) {
        for (name, value) in &run.conditions {
            conditions.entry(*name).or_default().insert(value);
        }
    }
    for (name, values) in conditions.iter().filter(|(_, values)| values.len() > 1) {
        let values: Vec<&str> = values.iter().copied().collect();
        warnings.push(format!(
            "the evaluations differ in more than their models: {name} is {}",
            values.join(" or ")
        ));
    }
    warnings
}
