//! Many files through the `bounce` program: folders, runs that are killed and go on, records.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

mod bouncing;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use bouncing::{Bench, RATE_HZ, STEMS, assert_exit, assert_they_add_up, file_names, stderr, stems};
use serde_json::Value;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn record(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Guards a night's work: `bounce a b c | head -1` left out b and c, and a full disk behind `> log` did
/// the same.
#[test]
fn a_closed_or_full_output_ends_no_work() {
    let bench = Bench::new();
    let songs: Vec<PathBuf> = ["a.wav", "b.wav", "c.wav"]
        .iter()
        .zip([4000, 5000, 6000])
        .map(|(name, frames)| bench.song(name, RATE_HZ, 2, frames))
        .collect();
    let finished = || {
        for song in &songs {
            let folder = bench.path("out").join(song.file_stem().unwrap());
            assert_they_add_up(song, &stems(&folder, &STEMS, "wav"));
        }
        fs::remove_dir_all(bench.path("out")).unwrap();
    };
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());

    let mut closed = bench.bounce(&["--json", "-"]);
    let mut closed = closed
        .args(&songs)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The reader has left before the first word.
    drop((closed.stdout.take(), closed.stderr.take()));
    assert_eq!(closed.wait().unwrap().code(), Some(0));
    finished();

    let status = bench
        .bounce(&[])
        .args(&songs)
        .stdout(full())
        .stderr(full())
        .status();
    assert_eq!(status.unwrap().code(), Some(0));
    finished();

    // Records that are lost are worth an exit code, but not the work.
    let output = bench.run(
        &["--json", "/dev/full"],
        &songs.iter().map(PathBuf::as_path).collect::<Vec<_>>(),
    );
    assert_exit(&output, 1);
    assert!(
        stderr(&output).contains("--json /dev/full"),
        "{}",
        stderr(&output)
    );
    finished();
}

#[test]
fn folders_keep_their_tree_and_the_end_says_what_was_done() {
    let bench = Bench::new();
    let deep = bench.song("music/live/2020/one.wav", RATE_HZ, 2, 4000);
    bench.song("music/two.wav", RATE_HZ, 1, 5000);
    bench.song("music/.hidden.wav", RATE_HZ, 2, 5000);
    fs::write(bench.path("music/cover.jpg"), "x").unwrap();
    fs::write(bench.path("music/zero.mp3"), "").unwrap();
    // The output lies in the folder that is walked: its stems are no inputs of the second run.
    for (separated, skipped) in [("2 separated", ""), ("", "2 skipped")] {
        let run = bench.run(&["--recursive", "--skip-existing"], &[&bench.path("")]);
        assert_exit(&run, 1);
        let said = stdout(&run);
        assert!(
            said.contains("3 files: ") && said.contains("1 failed"),
            "{said}"
        );
        assert!(said.contains(separated) && said.contains(skipped), "{said}");
        let failed = stderr(&run);
        assert!(
            failed.contains("1 of 3 files could not be separated:\n  "),
            "{failed}"
        );
        assert_eq!(
            failed.matches("zero.mp3: the file is empty").count(),
            2,
            "{failed}"
        );
    }
    let output = bench.path("out/music");
    assert_they_add_up(&deep, &stems(&output.join("live/2020/one"), &STEMS, "wav"));
    assert_eq!(file_names(&output), ["live", "two"]);

    let flat = bench.run(&[], &[&bench.path("music")]);
    let said = stdout(&flat);
    assert!(
        said.contains("1 folders in it were left out; --recursive"),
        "{said}"
    );
    assert_eq!(file_names(&bench.path("out")), ["music", "two"]);
}

/// Guards a batch of hours against the loss of its power.
#[test]
fn a_killed_batch_goes_on_where_it_was() {
    let bench = Bench::new();
    let songs: Vec<PathBuf> = (0..6)
        .map(|number| bench.song(&format!("in/{number}.wav"), RATE_HZ, 2, 30_000 + number))
        .collect();
    let folder = bench.path("in");
    let json = bench.path("log.jsonl");
    let mut command = bench.bounce(&["--skip-existing", "--json"]);
    command
        .arg(&json)
        .arg(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut killed = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while lines(&json).len() < 2 {
        assert!(Instant::now() < deadline, "the run never finished a song");
        std::thread::sleep(Duration::from_millis(2));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = lines(&json).len();
    let untouched = fs::metadata(bench.path("out/0/drums.wav"))
        .unwrap()
        .modified()
        .unwrap();

    let output = command.stdout(Stdio::piped()).output().unwrap();
    assert_exit(&output, 0);
    assert!(stdout(&output).contains("6 files: "), "{}", stdout(&output));
    for (number, song) in songs.iter().enumerate() {
        let folder = bench.path("out").join(number.to_string());
        assert_they_add_up(song, &stems(&folder, &STEMS, "wav"));
        assert_eq!(record(&folder.join("bunri.json"))["status"], "done");
    }
    let after = lines(&json);
    let skipped = after[before..]
        .iter()
        .filter(|line| line["status"] == "skipped")
        .count();
    assert!(
        (2..6).contains(&skipped) && after.len() == before + 6,
        "{skipped}"
    );
    let modified = fs::metadata(bench.path("out/0/drums.wav"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(modified, untouched, "what was complete was separated again");
}

/// Guards against stems of another model, mode or file that pass for those that were asked for.
#[test]
fn only_complete_results_of_the_same_kind_are_skipped() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 9000);
    let skips = |arguments: &[&str]| {
        let output = bench.run(&[&["--skip-existing"], arguments].concat(), &[&song]);
        assert_exit(&output, 0);
        stdout(&output).contains("skipped")
    };
    assert!(!skips(&[]) && skips(&[]));
    assert!(!skips(&["--bits", "16"]) && skips(&["--bits", "16"]));
    assert!(!skips(&["--overlap", "0.5"]) && skips(&["--overlap", "0.5"]));
    assert!(!skips(&["--stems", "bass"]) && skips(&["--stems", "bass"]));
    fs::write(bench.path("out/song/bass.wav"), "cut off").unwrap();
    assert!(!skips(&["--stems", "bass"]) && skips(&["--stems", "bass"]));
    // As a run leaves it that is killed while its stems get their names.
    let path = bench.path("out/song/bunri.json");
    let unfinished = fs::read_to_string(&path)
        .unwrap()
        .replace("\"done\"", "\"unfinished\"");
    fs::write(&path, unfinished).unwrap();
    assert!(!skips(&["--stems", "bass"]) && skips(&["--stems", "bass"]));
    assert_eq!(file_names(&bench.path("out")), ["song"]);
    // The name of the file is not what counts.
    let moved = bench.path("elsewhere.wav");
    fs::copy(&song, &moved).unwrap();
    bench.song("song.wav", RATE_HZ, 2, 9001);
    assert!(!skips(&["--stems", "bass"]));
    assert_eq!(file_names(&bench.path("out")), ["song", "song.wav"]);
}

#[test]
fn a_record_names_input_model_options_and_stems() {
    let bench = Bench::new();
    let song = bench.song("song.wav", 48_000, 1, 24_000);
    let missing = bench.path("missing.wav");
    let output = bench.run(
        &["--json", "/dev/stdout", "--bits", "24"],
        &[&song, &missing],
    );
    assert_exit(&output, 1);
    let said = stdout(&output);
    let records: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), 2);
    let done = &records[0];
    assert_eq!(*done, record(&bench.path("out/song/bunri.json")));
    assert_eq!(
        (&done["bunri_record"], &done["status"]),
        (&1.into(), &"done".into())
    );
    assert_eq!(done["bunri"], env!("CARGO_PKG_VERSION"));
    assert!(done["started"].as_str().unwrap().ends_with('Z'));
    let input = &done["input"];
    assert_eq!(input["path"], song.to_str().unwrap());
    assert_eq!(input["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(input["bytes"], fs::metadata(&song).unwrap().len());
    assert_eq!(
        (&input["frames"], &input["rate_hz"]),
        (&24_000.into(), &48_000.into())
    );
    assert_eq!(
        (&input["seconds"], &input["channels"]),
        (&0.5.into(), &1.into())
    );
    let model = &done["model"];
    assert_eq!(
        (&model["architecture"], &model["licence"]),
        (&"demucs".into(), &"CC0-1.0".into())
    );
    assert_eq!(model["sha256"].as_str().unwrap().len(), 64);
    let options = &done["options"];
    assert_eq!(
        (&options["mode"], &options["consistency"]),
        (&"overlap-0.75".into(), &true.into())
    );
    for (stem, name) in done["stems"].as_array().unwrap().iter().zip(STEMS) {
        let path = PathBuf::from(stem["path"].as_str().unwrap());
        assert_eq!(path, bench.path("out/song").join(format!("{name}.wav")));
        assert_eq!(
            (&stem["name"], &stem["frames"]),
            (&name.into(), &24_000.into())
        );
        assert_eq!(stem["bytes"], fs::metadata(&path).unwrap().len());
        let audio = bunri_stream::read_clip(&path).unwrap().audio;
        let peak = audio
            .channels()
            .flatten()
            .fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
        let recorded = stem["peak"].as_f64().unwrap();
        assert!(
            (recorded.min(1.0) - f64::from(peak)).abs() < 1e-6,
            "{recorded} {peak}"
        );
    }
    let failed = &records[1];
    assert_eq!(
        (&failed["status"], &failed["stems"]),
        (&"failed".into(), &Value::Array(vec![]))
    );
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .contains("missing.wav: no such file")
    );
}
