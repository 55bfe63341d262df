//! The scores against the reference package's, and the whole subcommand on songs on disk.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

mod python;

use std::path::{Path, PathBuf};

use bunri_model::{Checkpoint, DemucsConfig, NetworkConfig, Provenance, Storage};
use bunri_stream::{Encoding, FileWriter, Planar};
use bunri_trainer::compare::results::Evaluation;
use bunri_trainer::evaluate;
use bunri_trainer::evaluate::bss_eval::bss_eval;
use bunri_trainer::evaluate::metrics::{joint_windowed_sdr, median};
use clap::Parser;
use python::python_with;
use serde_json::Value;

#[derive(serde::Deserialize)]
struct Golden {
    window_frames: usize,
    frames: usize,
    sdr_db: Vec<Vec<Option<f64>>>,
    isr_db: Vec<Vec<Option<f64>>>,
    sir_db: Vec<Vec<Option<f64>>>,
    sar_db: Vec<Vec<Option<f64>>>,
    median_db: Vec<f64>,
}

/// The generator of `golden/make_museval_golden.py`.
fn noise(mut state: u32, frames: usize) -> Planar {
    let mut noise = Planar::zeros(2, frames);
    for frame in 0..frames {
        for channel in 0..2 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.channel_mut(channel)[frame] = ((state >> 16) as f32 - 32_768.0) / 65_536.0;
        }
    }
    noise
}

fn sum(parts: &[(&Planar, f32)]) -> Planar {
    let mut sum = Planar::zeros(2, parts[0].0.frames());
    for (part, gain) in parts {
        for (sum, part) in sum.channels_mut().zip(part.channels()) {
            sum.iter_mut()
                .zip(part)
                .for_each(|(sum, sample)| *sum += gain * sample);
        }
    }
    sum
}

/// What museval was given: references and estimates.
fn golden() -> (Golden, Vec<Planar>, [Planar; 3]) {
    let golden: Golden = serde_json::from_str(include_str!("golden/museval.json")).unwrap();
    let (window, frames) = (golden.window_frames, golden.frames);
    let mut references: Vec<Planar> = (1..=3).map(|seed| noise(seed, frames)).collect();
    for channel in references[0].channels_mut() {
        channel[2 * window..3 * window].fill(0.0);
    }
    for frame in 4 * window..5 * window {
        references[1].channel_mut(1)[frame] = -references[1].channel(0)[frame];
    }
    let [first, second, third] = &references[..] else {
        unreachable!()
    };
    let mut estimates = [
        sum(&[(first, 0.5), (second, 0.125)]),
        sum(&[(second, 1.0), (&noise(11, frames), 0.25)]),
        sum(&[
            (third, 0.75),
            (first, 0.0625),
            (&noise(12, frames), 0.03125),
        ]),
    ];
    for channel in estimates[2].channels_mut() {
        channel[6 * window..7 * window].fill(0.0);
    }
    (golden, references, estimates)
}

/// Panics where a window's figure is not museval's.
fn assert_close(what: &str, scores: &[f64], expected: &[Option<f64>]) {
    assert_eq!(scores.len(), expected.len(), "{what}: number of windows");
    for (window, (score, expected)) in scores.iter().zip(expected).enumerate() {
        // Beyond the 16 digits of a double, both packages measure their rounding.
        let exact = |db: f64| db > 200.0;
        let agrees = expected.map_or(score.is_nan(), |db| {
            (score - db).abs() < 1e-6 || (exact(db) && exact(*score))
        });
        assert!(
            agrees,
            "{what}, window {window}: {score}, museval {expected:?}"
        );
    }
}

/// Guards the framing, the channels being taken together, and museval's idea of silence.
#[test]
fn windowed_sdr_equals_museval() {
    let (golden, references, estimates) = golden();
    let pairs: Vec<(&Planar, &Planar)> = references.iter().zip(&estimates).collect();
    let scores = joint_windowed_sdr(&pairs, golden.window_frames);
    for (stem, (scores, expected)) in scores.iter().zip(&golden.sdr_db).enumerate() {
        assert_close(&format!("stem {stem}"), scores, expected);
        let median = median(scores.iter().copied()).unwrap();
        assert!(
            (median - golden.median_db[stem]).abs() < 1e-6,
            "stem {stem}: median {median}"
        );
    }
}

/// Guards the projections: delays, channels, the filters' tail after a window's end.
#[test]
fn bss_eval_equals_museval() {
    let (golden, references, estimates) = golden();
    let pairs: Vec<(&Planar, &Planar)> = references.iter().zip(&estimates).collect();
    let scores = bss_eval(&pairs, golden.window_frames, 2).unwrap();
    assert_eq!(scores.len(), 3);
    for (stem, scores) in scores.iter().enumerate() {
        let what = |figure: &str| format!("{figure} of stem {stem}");
        assert_close(&what("SDR"), &scores.sdr_db, &golden.sdr_db[stem]);
        assert_close(&what("ISR"), &scores.isr_db, &golden.isr_db[stem]);
        assert_close(&what("SIR"), &scores.sir_db, &golden.sir_db[stem]);
        assert_close(&what("SAR"), &scores.sar_db, &golden.sar_db[stem]);
    }
}

/// Guards against both packages' drifting apart where golden noise does not look: live, and through
/// what users run.
#[test]
fn the_comparison_with_museval_finds_no_difference() {
    let Some(python) = python_with("museval") else {
        return;
    };
    let bench = Bench::new();
    for (seed, stem) in ["drums", "bass", "other", "vocals"].into_iter().enumerate() {
        bench.write("a", stem, RATE_HZ, &noise(seed as u32, 17_000));
    }
    let folder = bench.path("museval");
    let report = bench
        .evaluate(&[
            "--against-museval",
            python.to_str().unwrap(),
            "--museval",
            folder.to_str().unwrap(),
        ])
        .unwrap();
    let comparison = &report["against_museval"][0];
    assert_eq!(comparison["song"], "a");
    // Two windows, four stems, four figures.
    assert_eq!(comparison["values"], 32);
    for largest in comparison["max_difference_db"].as_array().unwrap() {
        // As the golden test's, and far below what anyone could hear or report.
        assert!(largest.as_f64().unwrap() < 1e-6, "{comparison}");
    }
    assert!(folder.join("a.json").exists());
}

const RATE_HZ: u32 = 8000;

/// A folder with a tiny untrained model, `model.safetensors`, and songs below `songs/`.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = DemucsConfig {
            channels: 4,
            depth: 2,
            lstm_layers: 1,
            resample: false,
            sample_rate: RATE_HZ,
            segment_frames: 4000,
            ..DemucsConfig::default()
        };
        let checkpoint = Checkpoint {
            network: NetworkConfig::Demucs(config)
                .untrained(1, tch::Device::Cpu)
                .unwrap(),
            provenance: Provenance {
                data: "nothing".into(),
                ..Provenance::default()
            },
            licence: "CC0-1.0".into(),
        };
        checkpoint
            .save(&folder.path().join("model.safetensors"), Storage::F32)
            .unwrap();
        std::fs::create_dir(folder.path().join("songs")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, song: &str, stem: &str, rate_hz: u32, audio: &Planar) {
        let folder = self.path("songs").join(song);
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{stem}.wav"));
        let mut file = FileWriter::create(path, rate_hz, 2, Encoding::Wav32Float).unwrap();
        file.write(audio).unwrap();
        file.finish().unwrap();
    }

    /// `trainer evaluate` with the bench's model and songs, and `more`.
    fn evaluate(&self, more: &[&str]) -> anyhow::Result<Value> {
        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            args: evaluate::Args,
        }
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (model, songs) = (
            text(&self.path("model.safetensors")),
            text(&self.path("songs")),
        );
        let json = text(&self.path("report.json"));
        let given = [["--model", &model], ["--data", &songs], ["--json", &json]];
        // What `more` says takes the place of these.
        let given = given
            .iter()
            .filter(|[option, _]| !more.contains(option))
            .flatten();
        let args = ["evaluate"].iter().chain(given).chain(more);
        evaluate::run(Cli::try_parse_from(args)?.args)?;
        Ok(serde_json::from_slice(&std::fs::read(&json)?)?)
    }
}

#[track_caller]
fn close(value: &Value, expected: f64) {
    let got = value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"));
    assert!(
        (got - expected).abs() < 1e-3,
        "got {got}, expected {expected}"
    );
}

/// Guards what goes in (sum as mixture, silence, missing files) and what comes out, song by song.
#[test]
fn a_partly_labelled_and_a_sparse_song_get_the_scores_they_should() {
    let bench = Bench::new();
    let frames = 3 * RATE_HZ as usize + 100;
    let drums = noise(1, frames);
    bench.write("a", "drums", RATE_HZ, &drums);
    // Shorter than the others: silence follows. Loud enough to be scored in the first second only.
    bench.write("a", "vocals", RATE_HZ, &noise(2, RATE_HZ as usize));
    bench.write("a", "bass", RATE_HZ, &Planar::zeros(2, frames));
    bench.write("b", "vocals", RATE_HZ, &drums);
    bench.write("b", "mixture", RATE_HZ, &sum(&[(&drums, 2.0)]));

    let asked = ["--baselines", "--windows"];
    let message = bench.evaluate(&asked).unwrap_err().to_string();
    assert!(
        message.contains("vocals ends after 1.0 of 3.0 s"),
        "{message}"
    );
    let report = bench
        .evaluate(&[&asked[..], &["--allow-short"]].concat())
        .unwrap();
    let [a, b] = &report["songs"].as_array().unwrap()[..] else {
        panic!("{report}")
    };
    assert_eq!((&a["name"], &b["name"]), (&"a".into(), &"b".into()));
    assert_eq!(a["systems"].as_object().unwrap().len(), 4);

    let quarter = &a["systems"]["quarter of mixture"];
    assert_eq!(quarter["bass"]["silent_reference"], true);
    assert!(quarter.get("other").is_none(), "no file, no score");
    assert_eq!(quarter["drums"]["active_windows"], 3);
    assert_eq!(quarter["vocals"]["active_windows"], 1);
    // The bass is digital silence throughout, so museval drops every window of every stem.
    assert_eq!(quarter["drums"]["windows"], 0);
    assert_eq!(quarter["drums"]["sdr_db"], Value::Null);
    // Two of three seconds are the drums alone, at a quarter.
    close(&quarter["drums"]["sdr_active_db"], -20.0 * 0.75_f64.log10());

    let quarter = &b["systems"]["quarter of mixture"]["vocals"];
    close(&quarter["nsdr_db"], 20.0 * 2_f64.log10());
    close(&quarter["sdr_db"], 20.0 * 2_f64.log10());
    assert_eq!(quarter["window_sdr_db"].as_array().unwrap().len(), 3);
    close(&b["systems"]["mixture"]["vocals"]["nsdr_db"], 0.0);
    // Half of the mixture is in no stem, and looks just like the vocals.
    assert!(
        b["systems"]["ideal ratio mask"]["vocals"]["nsdr_db"]
            .as_f64()
            .unwrap()
            > 60.0
    );
    assert!(b["systems"]["model"]["vocals"]["nsdr_db"].is_f64());

    let summary = &report["summary"]["quarter of mixture"];
    assert_eq!(summary["stems"]["bass"]["songs"], 0);
    assert_eq!(summary["stems"]["vocals"]["songs"], 2);
    assert_eq!(summary["stems"]["other"]["nsdr_mean_db"], Value::Null);
    assert_eq!(report["model"]["provenance"]["data"], "nothing");
    assert_eq!(report["model"]["sha256"].as_str().unwrap().len(), 64);

    // What `trainer compare` reads of it.
    let read = Evaluation::load(&bench.path("report.json")).unwrap();
    let nsdr = read.songs["b"]["vocals"]["nsdr_db"];
    close(&b["systems"]["model"]["vocals"]["nsdr_db"], nsdr);
    assert!(!read.songs["a"].contains_key("bass"), "silent in truth");
}

/// Guards the way to the model's rate and back: stems that are late, or one frame too long.
#[test]
fn songs_at_another_rate_than_the_model_s_are_scored_at_their_own() {
    let bench = Bench::new();
    let frames = 2 * 11_025 + 17;
    for (seed, stem) in ["drums", "bass", "other", "vocals"].into_iter().enumerate() {
        bench.write("a", stem, 11_025, &noise(seed as u32, frames));
    }
    let report = bench.evaluate(&["--stems", "vocals,drums"]).unwrap();
    assert_eq!(report["songs"][0]["rate_hz"], 11_025);
    let scores = report["songs"][0]["systems"]["model"].as_object().unwrap();
    assert_eq!(scores.keys().collect::<Vec<_>>(), ["drums", "vocals"]);
    assert_eq!(scores["drums"]["windows"], 2);
    // An untrained model makes next to nothing, and consistency shares the mixture out evenly: a
    // quarter of four equally loud stems is 1.25 dB better than silence, if it comes in time.
    let drums = scores["drums"]["nsdr_db"].as_f64().unwrap();
    assert!((1.0..1.5).contains(&drums), "{drums}");
}

/// Guards the comparison with another program: its stems under the wrong song, name or rate, and an
/// hour lost before a missing one is named.
#[test]
fn stems_of_another_program_are_scored_beside_the_model_s() {
    let bench = Bench::new();
    let frames = 2 * RATE_HZ as usize;
    let drums = noise(1, frames);
    bench.write("a", "drums", RATE_HZ, &drums);
    bench.write("a", "vocals", RATE_HZ, &noise(2, frames));
    // Shorter by a few frames, as packages that work in blocks leave it.
    let half = sum(&[(&drums, 0.5)]).slice(0, frames - 100);
    bench.write("../theirs/a", "drums", RATE_HZ, &half);
    let theirs = bench.path("theirs");
    let asked = ["--cases", "--estimates", theirs.to_str().unwrap()];
    let message = format!("{:#}", bench.evaluate(&asked).unwrap_err());
    assert!(message.contains("no vocals.wav"), "{message}");

    bench.write("../theirs/a", "vocals", RATE_HZ, &Planar::zeros(2, frames));
    let report = bench.evaluate(&asked).unwrap();
    let song = &report["songs"][0];
    let found = &song["systems"]["stems in files"];
    // The 100 frames that are missing cost 0.08 dB.
    let drums = found["drums"]["nsdr_db"].as_f64().unwrap();
    assert!((drums - 5.94).abs() < 0.02, "{drums}");
    close(&found["vocals"]["nsdr_db"], 0.0);
    let cases = song["cases"].as_array().unwrap();
    let names: Vec<&str> = cases
        .iter()
        .map(|case| case["case"].as_str().unwrap())
        .collect();
    assert_eq!(names[..3], ["silence", "drums alone", "vocals alone"]);
}

/// Guards the user's hour: whatever is wrong is said before anything is separated.
#[test]
fn wrong_arguments_say_what_there_is() {
    let bench = Bench::new();
    bench.write("a", "drums", RATE_HZ, &noise(1, 4000));
    let message = |more: &[&str]| format!("{:#}", bench.evaluate(more).unwrap_err());

    let unknown_song = message(&["--songs", "a,c"]);
    assert!(
        unknown_song.contains("--songs c") && unknown_song.ends_with("holds a"),
        "{unknown_song}"
    );
    assert!(message(&["--stems", "piano"]).contains("drums, bass, other, vocals"));
    assert!(message(&["--json", "no/such/folder/x.json"]).contains("does not exist"));
    assert!(message(&["--device", "gpu"]).contains("cuda:N"));
    assert!(message(&["--model", "no/model"]).contains("no/model"));
    assert!(message(&["--overlap", "1.5"]).contains("1.5"));

    let bytes = std::fs::read(bench.path("model.safetensors")).unwrap();
    std::fs::write(bench.path("short"), &bytes[..bytes.len() - 100]).unwrap();
    let short = message(&["--model", bench.path("short").to_str().unwrap()]);
    assert!(short.contains("100 bytes short"), "{short}");
}
