//! `trainer compare` on evaluations whose answer is known.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::path::PathBuf;

use bunri_trainer::compare;
use clap::Parser;
use serde_json::{Value, json};

/// A folder of runs.
struct Runs(tempfile::TempDir);

/// What `compare` wrote: its JSON and its Markdown.
struct Written {
    json: Value,
    markdown: String,
}

impl Runs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A run with these SDRs of the vocals, song by song; its bass is silent in truth.
    fn write(&self, run: &str, seed: u64, sdr_db: &[f64]) {
        let songs: Vec<Value> = (sdr_db.iter().enumerate())
            .map(|(song, sdr_db)| {
                let vocals = json!({"sdr_db": sdr_db, "nsdr_db": 1.0, "silent_reference": false});
                let bass = json!({"sdr_db": 99.0, "nsdr_db": -60.0, "silent_reference": true});
                let stems = json!({"vocals": vocals, "bass": bass});
                json!({"name": format!("song {song}"), "systems": {"model": stems}})
            })
            .collect();
        let model = json!({"sha256": run, "mode": "overlap", "provenance": {"seed": seed}});
        let report = json!({
            "model": model, "data": "test", "consistency": true,
            "stems": ["bass", "vocals"], "songs": songs,
        });
        std::fs::create_dir_all(self.path(run)).unwrap();
        let file = self.path(run).join("evaluation.json");
        std::fs::write(file, report.to_string()).unwrap();
    }

    /// An arm of runs `name-SEED`: every song has the run's figure, more or less.
    fn arm(&self, name: &str, figures: &[(u64, f64)]) {
        for (seed, figure) in figures {
            let songs = [-1.0, -0.5, 0.0, 0.25, 2.0].map(|song| figure + song);
            self.write(&format!("{name}-{seed}"), *seed, &songs);
        }
    }

    fn compare(&self, arms: &[&str]) -> anyhow::Result<Written> {
        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            args: compare::Args,
        }
        let [json, markdown] = ["out.json", "out.md"].map(|name| self.path(name));
        let root = self.0.path().display();
        let arms = arms
            .iter()
            .map(|arm| arm.replace("ROOT", &root.to_string()));
        let outputs = [
            "--json".to_owned(),
            json.display().to_string(),
            "--markdown".to_owned(),
            markdown.display().to_string(),
        ];
        let given = ["compare".to_owned()]
            .into_iter()
            .chain(arms)
            .chain(outputs);
        compare::run(Cli::try_parse_from(given)?.args)?;
        Ok(Written {
            json: serde_json::from_slice(&std::fs::read(json)?)?,
            markdown: std::fs::read_to_string(markdown)?,
        })
    }
}

/// Guards what this is made for: the published 5.58 against 5.56 dB is no finding.
#[test]
fn a_difference_inside_the_seeds_noise_is_called_that() {
    let runs = Runs::new();
    let noise = [0.10, -0.08, 0.05, -0.11, 0.04];
    let of = |mean: f64, turn: usize| -> Vec<(u64, f64)> {
        (0..5)
            .map(|seed| (seed as u64, mean + noise[(seed + turn) % 5]))
            .collect()
    };
    runs.arm("ours", &of(5.58, 0));
    runs.arm("theirs", &of(5.56, 2));
    let found = runs
        .compare(&["theirs=ROOT/theirs-*", "ours=ROOT/ours-*"])
        .unwrap();
    let figure = &found.json["figures"][0];
    assert_eq!(figure["key"], "sdr_db");
    // The median of the songs is the run's figure itself; the silent bass is in no mean.
    let spread = &figure["arms"][1][1]["mean"];
    assert!(
        (spread["mean"].as_f64().unwrap() - 5.58).abs() < 1e-9,
        "{spread}"
    );
    let contrast = &figure["contrasts"][0];
    assert_eq!(
        (&contrast["stem"], &contrast["verdict"]),
        (&"vocals".into(), &"inside_noise".into())
    );
    assert_eq!(found.json["paired_by_seed"], true);
    assert!(
        found
            .markdown
            .contains("Inside the seeds' noise: vocals +0.02 ["),
        "{}",
        found.markdown
    );
    assert!(!found.markdown.contains("99.0"), "a silent stem counts");
}

/// Guards the pairs: a seed's own luck is in both of its runs, in whatever order files are found.
#[test]
fn runs_of_one_seed_are_pairs() {
    let runs = Runs::new();
    runs.arm("a", &[(1, 4.0), (2, 5.0), (3, 6.0)]);
    runs.arm("b", &[(3, 6.31), (1, 4.30), (2, 5.29)]);
    let paired = runs.compare(&["a=ROOT/a-*", "b=ROOT/b-*"]).unwrap();
    let contrast = &paired.json["figures"][0]["contrasts"][0];
    assert_eq!(contrast["verdict"], "stands");
    assert!((contrast["over_seeds"]["mean"].as_f64().unwrap() - 0.3).abs() < 1e-9);
    assert_eq!(contrast["over_songs"]["count"], 5);
    // Other seeds: the same runs say nothing, for their luck is larger than their difference.
    runs.arm("c", &[(4, 6.31), (5, 4.30), (6, 5.29)]);
    let apart = runs.compare(&["a=ROOT/a-*", "c=ROOT/c-*"]).unwrap();
    let contrast = &apart.json["figures"][0]["contrasts"][0];
    assert_eq!(contrast["verdict"], "inside_noise");
    assert_eq!(contrast["over_seeds"]["method"], "welch_t");
    assert!(apart.markdown.contains("seeds differ"));
}

/// Guards against a verdict that one training cannot give, and against one training counted twice.
#[test]
fn what_cannot_be_compared_is_said() {
    let runs = Runs::new();
    runs.arm("a", &[(1, 4.0)]);
    runs.arm("b", &[(1, 9.0)]);
    runs.write("c-1", 1, &[1.0, 2.0]);
    let single = runs
        .compare(&["a=ROOT/a-1", "b=ROOT/b-1/evaluation.json"])
        .unwrap();
    assert_eq!(
        single.json["figures"][0]["contrasts"][0]["verdict"],
        "unknown"
    );
    assert!(single.markdown.contains("one training only of a, b"));
    let fewer = runs.compare(&["a=ROOT/a-1", "c=ROOT/c-1"]).unwrap();
    assert!(
        fewer
            .markdown
            .contains("3 of 5 songs are not in every evaluation")
    );

    let message = |arms: &[&str]| format!("{:#}", runs.compare(arms).err().unwrap());
    std::fs::create_dir(runs.path("a-2")).unwrap();
    assert!(message(&["a=ROOT/a-*", "b=ROOT/b-1"]).contains("a-2 holds no evaluation.json"));
    std::fs::copy(
        runs.path("a-1/evaluation.json"),
        runs.path("a-2/evaluation.json"),
    )
    .unwrap();
    assert!(message(&["a=ROOT/a-*", "b=ROOT/b-1"]).contains("not two seeds"));
    assert!(message(&["a=ROOT/none", "b=ROOT/b-1"]).contains("no such file"));
    assert!(message(&["ROOT/a-1"]).contains("NAME=WHERE"));
}
