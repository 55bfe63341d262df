//! Everything that an evaluation found, as JSON and as tables.

use std::collections::BTreeMap;

use serde::Serialize;

use super::against_museval::{self, Comparison};
use super::baselines::SYSTEMS;
#[cfg(doc)]
use super::bss_eval::BssScores;
use super::cases::{self, CaseScore};
use super::metrics::WORST_DB;
use super::score::{ACTIVE_FLOOR_DBFS, StemScore, StemScores, Summary, mean_over_stems, summarise};
use super::spectral::WORST_DISTANCE;
use crate::model::ModelCard;
use crate::table::{Table, db_cell};

/// Version of the JSON's layout.
const FORMAT: u32 = 1;

/// An evaluation, as written to JSON.
#[derive(Debug, Serialize)]
pub struct Report {
    format: u32,
    /// What was scored.
    model: ModelCard,
    /// Whether the stems were made to add up to the mixture.
    consistency: bool,
    /// The folder of songs, as given.
    data: String,
    /// Stems scored, in the model's order.
    stems: Vec<String>,
    /// Level above which a window of the reference counts as active.
    active_floor_dbfs: f64,
    /// Every song by itself.
    songs: Vec<SongReport>,
    /// Songs that could not be scored; they are in no figure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<FailedSong>,
    /// What looks like a song or a stem and was not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<String>,
    /// Over all songs, by system.
    summary: BTreeMap<String, SystemSummary>,
    /// The reference package on the same stems, where it was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    against_museval: Vec<Comparison>,
}

/// One song's scores.
#[derive(Debug, Serialize)]
pub struct SongReport {
    /// Its folder's name.
    pub name: String,
    /// Its length.
    pub seconds: f64,
    /// Frames per second at which it was scored.
    pub rate_hz: u32,
    /// Whether the mixture is a file; if not, it is the sum of the stems.
    pub own_mixture: bool,
    /// Wall-clock time that the model took.
    pub separation_seconds: f64,
    /// Whether ISR, SIR and SAR were decided by the stems and not by rounding, where they were
    /// measured ([`BssScores::is_determined`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bss_is_determined: Option<bool>,
    /// Scores by system, see [`SYSTEMS`].
    pub systems: BTreeMap<String, StemScores>,
    /// What became of changed excerpts, where that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<CaseScore>,
    /// What a reader of the scores should know about the song's files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was asked for and could not be done for this song, beside the model's scores.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// A song without scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailedSong {
    /// Its folder's name.
    pub name: String,
    /// Why.
    pub error: String,
}

/// One system's figures over all songs.
#[derive(Debug, Serialize)]
pub struct SystemSummary {
    /// Stem by stem.
    pub stems: BTreeMap<String, Summary>,
    /// The mean over stems.
    pub mean: Summary,
}

/// One of the figures: how it is called, found in a song, and found in a summary.
#[derive(Clone)]
struct Figure {
    title: String,
    of_song: fn(&StemScore) -> Option<f64>,
    over_songs: Vec<(&'static str, OverSongs)>,
    count: fn(&Summary) -> usize,
}

/// Finds a figure in a summary.
type OverSongs = fn(&Summary) -> Option<f64>;

impl Report {
    /// Sums up `songs`.
    #[must_use]
    pub fn new(
        model: ModelCard,
        consistency: bool,
        data: String,
        stems: Vec<String>,
        songs: Vec<SongReport>,
    ) -> Self {
        let mut summary = BTreeMap::new();
        for system in SYSTEMS {
            let scores: Vec<&StemScores> = songs
                .iter()
                .filter_map(|song| song.systems.get(system))
                .collect();
            if !scores.is_empty() {
                let stems = summarise(&scores, &stems);
                let mean = mean_over_stems(&stems);
                summary.insert(system.to_owned(), SystemSummary { stems, mean });
            }
        }
        let active_floor_dbfs = ACTIVE_FLOOR_DBFS;
        Self {
            format: FORMAT,
            model,
            consistency,
            data,
            stems,
            active_floor_dbfs,
            songs,
            failed: Vec::new(),
            ignored: Vec::new(),
            summary,
            against_museval: Vec::new(),
        }
    }

    /// Keeps the songs without scores, and what was not read at all.
    #[must_use]
    pub fn with_failures(self, failed: Vec<FailedSong>, ignored: Vec<String>) -> Self {
        Self {
            failed,
            ignored,
            ..self
        }
    }

    /// What could not be done, a line each: songs, and parts of songs.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let failed = self.failed.iter();
        let mut lines: Vec<String> = failed
            .map(|FailedSong { name, error }| format!("{name}: {error}"))
            .collect();
        for song in &self.songs {
            let errors = song.errors.iter();
            lines.extend(errors.map(|error| format!("{}: {error}", song.name)));
        }
        lines
    }

    /// Keeps what the reference package found.
    #[must_use]
    pub fn with_comparisons(self, against_museval: Vec<Comparison>) -> Self {
        Self {
            against_museval,
            ..self
        }
    }

    /// The figures over all songs, by system.
    #[must_use]
    pub fn summary(&self) -> &BTreeMap<String, SystemSummary> {
        &self.summary
    }

    /// The tables, one per figure, and what a reader should know about stems that are silent.
    #[must_use]
    pub fn tables(&self) -> String {
        let mut text = String::new();
        let has_bss = self.songs.iter().flat_map(|song| song.systems.values());
        let has_bss = has_bss
            .flat_map(BTreeMap::values)
            .any(|score| score.sir_db.is_some());
        let bss = if has_bss {
            bss_figures().to_vec()
        } else {
            Vec::new()
        };
        for figure in figures().into_iter().chain(bss) {
            text += &format!("{}\n", self.table(&figure));
        }
        for line in self.silent_stems().into_iter().chain(self.warnings()) {
            text += &format!("{line}\n");
        }
        for song in &self.songs {
            if song.bss_is_determined == Some(false) {
                text += &format!(
                    "{}: its stems do not fill the band (lossy files?), so that rounding decides their \
                     ISR, SIR and SAR, here and in museval; SDR is exact\n",
                    song.name
                );
            }
        }
        let cases: Vec<&[CaseScore]> = self.songs.iter().map(|song| &song.cases[..]).collect();
        if cases.iter().any(|cases| !cases.is_empty()) {
            text += &format!("{}\n", cases::table(&cases, &self.stems));
        }
        if !self.against_museval.is_empty() {
            text += &format!("{}\n", against_museval::table(&self.against_museval));
        }
        text
    }

    fn table(&self, figure: &Figure) -> Table {
        let mut header = vec!["song".to_owned(), "estimate".to_owned()];
        header.extend(self.stems.iter().cloned());
        header.push("mean".to_owned());
        let mut rows = Vec::new();
        for song in &self.songs {
            for (system, scores) in in_order(&song.systems) {
                let cell = |stem: &String| match scores.get(stem) {
                    Some(score) if score.silent_reference => "silent".to_owned(),
                    score => db_cell(score.and_then(figure.of_song)),
                };
                let counted = scores.values().filter(|score| !score.silent_reference);
                let values: Vec<f64> = counted.filter_map(figure.of_song).collect();
                let mut mean = db_cell(super::metrics::mean(values.iter().copied()));
                if !values.is_empty() && values.len() < self.stems.len() {
                    mean += &format!(" ({})", values.len());
                }
                let cells = self.stems.iter().map(cell);
                rows.push(row(&song.name, system, cells.chain([mean])));
            }
        }
        for (name, of_summary) in &figure.over_songs {
            for (system, summary) in in_order(&self.summary) {
                let stems = self.stems.iter().map(|stem| summary.stems.get(stem));
                let cells = stems.chain([Some(&summary.mean)]);
                let cells = cells.map(|summary| db_cell(summary.and_then(of_summary)));
                rows.push(row(name, system, cells));
            }
        }
        for (system, summary) in in_order(&self.summary) {
            let of_stem = |stem| summary.stems.get(stem).map_or(0, figure.count).to_string();
            let cells = self.stems.iter().map(of_stem);
            let stems = format!("{} stems", (figure.count)(&summary.mean));
            rows.push(row("songs counted", system, cells.chain([stems])));
        }
        Table {
            title: figure.title.clone(),
            words: 2,
            header,
            rows,
        }
    }

    /// What a reader should know about files and estimates, a line each.
    fn warnings(&self) -> Vec<String> {
        let mut lines = self.ignored.clone();
        for song in &self.songs {
            let name = &song.name;
            lines.extend(song.warnings.iter().map(|text| format!("{name}: {text}")));
            for (system, scores) in in_order(&song.systems) {
                let invalid = scores.iter().filter(|(_, score)| score.invalid_estimate);
                lines.extend(invalid.map(|(stem, _)| {
                    format!(
                        "{name}: {stem} of {system} holds NaN or infinite samples: {WORST_DB} dB, \
                         distance {WORST_DISTANCE}"
                    )
                }));
            }
        }
        lines.extend(
            self.failures()
                .iter()
                .map(|line| format!("not scored: {line}")),
        );
        lines
    }

    /// One line for every stem that should have come out silent.
    fn silent_stems(&self) -> Vec<String> {
        let level =
            |value: Option<f64>| value.map_or("−∞".to_owned(), |dbfs| format!("{dbfs:.1}"));
        let mut lines = Vec::new();
        for song in &self.songs {
            for (system, scores) in in_order(&song.systems) {
                let silent = scores.iter().filter(|(_, score)| score.silent_reference);
                lines.extend(silent.map(|(stem, score)| {
                    format!(
                        "{}: {stem} is silent in truth (RMS {} dBFS), {system}: {} dBFS; not in the means",
                        song.name,
                        level(score.reference_dbfs),
                        level(score.estimate_dbfs),
                    )
                }));
            }
        }
        lines
    }
}

fn figures() -> [Figure; 5] {
    [
        Figure {
            title: "SDR by museval v4 in dB: median over 1 s windows, without those in which any \
                    scored stem or estimate is digital silence"
                .to_owned(),
            of_song: |score| score.sdr_db,
            over_songs: vec![
                ("median of songs", |summary| summary.sdr_median_db),
                ("mean of songs", |summary| summary.sdr_mean_db),
            ],
            count: |summary| summary.sdr_count,
        },
        Figure {
            title: format!(
                "The same ratio in dB: median over the 1 s windows in which the true stem is above \
                 {ACTIVE_FLOOR_DBFS} dBFS RMS"
            ),
            of_song: |score| score.sdr_active_db,
            over_songs: vec![
                ("median of songs", |summary| summary.sdr_active_median_db),
                ("mean of songs", |summary| summary.sdr_active_mean_db),
            ],
            count: |summary| summary.sdr_active_count,
        },
        Figure {
            title: "nSDR in dB: whole track, silence scores 0".to_owned(),
            of_song: |score| Some(score.nsdr_db),
            over_songs: vec![("mean of songs", |summary| summary.nsdr_mean_db)],
            count: |summary| summary.nsdr_count,
        },
        Figure {
            title: "SI-SDR in dB: whole track, at the gain that fits best".to_owned(),
            of_song: |score| Some(score.si_sdr_db),
            over_songs: vec![("mean of songs", |summary| summary.si_sdr_mean_db)],
            count: |summary| summary.si_sdr_count,
        },
        Figure {
            title: "Multi-resolution STFT distance, where the true stem sounds: lower is better"
                .to_owned(),
            of_song: |score| score.stft_distance,
            over_songs: vec![("mean of songs", |summary| summary.stft_distance_mean)],
            count: |summary| summary.stft_distance_count,
        },
    ]
}

/// What is only measured on request.
fn bss_figures() -> [Figure; 3] {
    let figure = |title: &str, of_song, over: OverSongs| Figure {
        title: format!("{title} by museval v4 in dB: median over the same 1 s windows"),
        of_song,
        over_songs: vec![("median of songs", over)],
        count: |summary| summary.bss_count.unwrap_or(0),
    };
    [
        figure(
            "SIR (to interference)",
            |score| score.sir_db,
            |summary| summary.sir_median_db,
        ),
        figure(
            "SAR (to artefacts)",
            |score| score.sar_db,
            |summary| summary.sar_median_db,
        ),
        figure(
            "ISR (to spatial distortion)",
            |score| score.isr_db,
            |summary| summary.isr_median_db,
        ),
    ]
}

/// A report's systems in the order of its tables.
fn in_order<T>(systems: &BTreeMap<String, T>) -> impl Iterator<Item = (&'static str, &T)> {
    SYSTEMS
        .into_iter()
        .filter_map(|name| systems.get(name).map(|found| (name, found)))
}

fn row(song: &str, system: &str, cells: impl Iterator<Item = String>) -> Vec<String> {
    [song.to_owned(), system.to_owned()]
        .into_iter()
        .chain(cells)
        .collect()
}
