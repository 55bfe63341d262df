//! `trainer report` on a run that was made up, with a tiny model's stems.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::path::Path;

use bunri_model::{Checkpoint, DemucsConfig, NetworkConfig, Provenance, Storage};
use bunri_stream::{Encoding, FileWriter, Planar};
use bunri_trainer::report;
use clap::Parser;
use serde_json::{Value, json};

const RATE_HZ: u32 = 8000;

fn report(arguments: &[&Path]) -> anyhow::Result<()> {
    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: report::Args,
    }
    let given = [Path::new("report")]
        .into_iter()
        .chain(arguments.iter().copied());
    report::run(Cli::try_parse_from(given)?.args)
}

/// A run of two logged steps and two validations, the first of them the best.
fn write_log(run: &Path, config: &Value) {
    std::fs::create_dir_all(run).unwrap();
    let validation = |step: u64, is_best: bool| {
        json!({"event": "validation", "step": step, "is_best": is_best,
            "scores": {"l1": 0.01 * step as f64, "nsdr_db": {"song": {"bass": 2.5, "drums": 3.0}}}})
    };
    let lines = [
        json!({"event": "start", "step": 0, "parameters": 1234, "config": config}),
        json!({"event": "steps", "step": 20, "loss": 0.5, "learning_rate": 1e-4}),
        validation(20, true),
        json!({"event": "steps", "step": 40, "loss": 0.25, "learning_rate": 1e-4}),
        validation(40, false),
        json!({"event": "notice", "step": 40, "text": "the loss is <NaN> & back"}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(run.join("log.jsonl"), text).unwrap();
}

/// Guards what makes the page worth keeping: it needs nothing else, and holds what was heard.
#[test]
fn a_page_needs_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run-1");
    let songs = folder.path().join("songs");
    write_log(
        &run,
        &json!({"seed": 1, "data": {"valid": [{"path": songs}]}}),
    );
    let network = NetworkConfig::Demucs(DemucsConfig {
        channels: 4,
        depth: 2,
        lstm_layers: 1,
        resample: false,
        sample_rate: RATE_HZ,
        segment_frames: 4000,
        ..DemucsConfig::default()
    });
    let checkpoint = Checkpoint {
        network: network.untrained(1, tch::Device::Cpu).unwrap(),
        provenance: Provenance::default(),
        licence: "CC0-1.0".into(),
    };
    checkpoint
        .save(&run.join("best.safetensors"), Storage::F32)
        .unwrap();
    std::fs::create_dir_all(songs.join("a")).unwrap();
    for stem in ["bass", "drums"] {
        let wave = (0..9 * RATE_HZ)
            .map(|n| (n as f32 * 0.05).sin() * 0.3)
            .collect::<Vec<_>>();
        let audio = Planar::from_channels(vec![wave.clone(), wave]).unwrap();
        let path = songs.join("a").join(stem).with_extension("wav");
        let mut file = FileWriter::create(path, RATE_HZ, 2, Encoding::Wav16).unwrap();
        file.write(&audio).unwrap();
        file.finish().unwrap();
    }
    report(&[&run]).unwrap();
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    // The mixture, four stems, and the two that are known.
    assert_eq!(page.matches("data:audio/wav;base64,").count(), 7);
    assert_eq!(page.matches("data:image/png;base64,").count(), 7);
    assert!(!page.contains("http"), "the page reaches for the network");
    for expected in [
        "steps/loss",
        "validation/scores/nsdr_db/song",
        "the loss is &lt;NaN&gt; &amp; back",
        "best nSDR of drums, dB",
        "<td>1234</td>",
        "a, from ",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(
        page.contains("<td>20</td>"),
        "the best step is not the last"
    );
}

/// Guards comparisons on one page: one chart for both, and the config's difference named.
#[test]
fn two_runs_share_their_charts() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    write_log(&a, &json!({"seed": 1, "optimiser": {"batch": 4}}));
    write_log(&b, &json!({"seed": 1, "optimiser": {"batch": 8}}));
    let page = folder.path().join("page.html");
    report(&[&a, &b, Path::new("-o"), &page, Path::new("--no-audio")]).unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(
        page.matches("<figcaption>steps/loss</figcaption>").count(),
        1
    );
    assert!(
        page.contains("b bass <b>2.50</b>"),
        "a curve of each run and stem"
    );
    let row = "<th scope=\"row\">optimiser.batch</th><td>4</td><td>8</td>";
    assert!(page.contains(row));
    assert!(
        !page.contains("<th scope=\"row\">seed</th>"),
        "equal fields are no difference"
    );
    let message = format!("{:#}", report(&[folder.path()]).unwrap_err());
    assert!(message.contains("log.jsonl"), "{message}");
}
