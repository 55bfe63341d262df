//! One run's folder, as much of it as a report shows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::compare::results::EVALUATION;
use crate::run_log::{self, Entry};

/// A run.
#[derive(Debug)]
pub struct Run {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its log.
    pub log: Vec<Entry>,
    /// What `trainer evaluate --json` wrote beside it.
    pub evaluation: Option<Value>,
}

impl Run {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// No log in it.
    pub fn load(folder: &Path) -> Result<Self> {
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        let evaluation = std::fs::read(folder.join(EVALUATION));
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            log: run_log::read(&folder.join("log.jsonl"))?,
            evaluation: evaluation
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            folder: folder.to_owned(),
        })
    }

    /// The resolved config of the last start.
    #[must_use]
    pub fn config(&self) -> Option<&Value> {
        let starts = self.log.iter().rev();
        let mut configs = starts.filter_map(|entry| entry.value.get("config"));
        configs.next()
    }

    /// The validation whose weights are `best.safetensors`: the last that was the best so far.
    #[must_use]
    pub fn best(&self) -> Option<&Entry> {
        let is_best = |entry: &&Entry| entry.value.get("is_best") == Some(&Value::Bool(true));
        self.log.iter().rev().find(is_best)
    }

    /// What the log has in words.
    pub fn notices(&self) -> impl Iterator<Item = (u64, &str)> {
        let texts = self.log.iter();
        texts.filter_map(|entry| Some((entry.step, entry.value.get("text")?.as_str()?)))
    }

    /// The facts of the first table: name and value.
    #[must_use]
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
        let last = self.log.iter().map(|entry| entry.step).max();
        add("last step", last.unwrap_or(0).to_string());
        let starts = self.log.iter().filter(|entry| entry.event == "start");
        let starts: Vec<&Entry> = starts.collect();
        if let Some(parameters) = starts.last().and_then(|e| e.value["parameters"].as_u64()) {
            add("parameters", parameters.to_string());
        }
        add("starts", starts.len().to_string());
        if let Some(best) = self.best() {
            add("best step", best.step.to_string());
            for (path, value) in best.scalars() {
                // Songs have their curves; here is what is said of all of them.
                if path.len() <= 2 {
                    add(
                        &format!("best {}", path.join(" ")),
                        super::chart::number(value),
                    );
                }
            }
            for (stem, mean) in means_by_stem(best) {
                add(&format!("best nSDR of {stem}, dB"), format!("{mean:.2}"));
            }
        }
        facts
    }

    /// `summary.model` of the evaluation: SDR and nSDR by stem, in dB.
    #[must_use]
    pub fn scores(&self) -> Option<Vec<(String, Vec<Option<f64>>)>> {
        let evaluation = self.evaluation.as_ref()?;
        let summary = evaluation.pointer("/summary/model")?;
        let stems = evaluation["stems"].as_array()?;
        let of = |summary: &Value| {
            let keys = ["sdr_median_db", "sdr_mean_db", "nsdr_mean_db"];
            keys.map(|key| summary[key].as_f64()).to_vec()
        };
        let stems = stems.iter().filter_map(Value::as_str);
        let rows = stems.map(|stem| (stem.to_owned(), of(&summary["stems"][stem])));
        let mean = ("mean".to_owned(), of(&summary["mean"]));
        Some(rows.chain([mean]).collect())
    }
}

/// Means over songs of a validation's `nsdr_db`.
fn means_by_stem(entry: &Entry) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for (path, value) in entry.scalars() {
        if let ([.., group, _, stem], true) = (path.as_slice(), path.len() > 2)
            && group == "nsdr_db"
        {
            let sum = sums.entry(stem.clone()).or_default();
            sum.0 += value;
            sum.1 += 1;
        }
    }
    let means = sums.into_iter();
    means
        .map(|(stem, (sum, count))| (stem, sum / count as f64))
        .collect()
}
