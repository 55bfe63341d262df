//! Evaluation, data check and training on songs with one fault each, by the built program: nothing is
//! scored, found good or learnt in silence, and nothing but the faulty song is lost.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bunri_model::{Checkpoint, DemucsConfig, NetworkConfig, Provenance, Storage};
use bunri_stream::Planar;
use bunri_stream::files::{Encoding, FileWriter};
use serde_json::Value;

const RATE_HZ: u32 = 8_000;
const SECONDS: usize = 4;
const STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// A stem that sounds like its name; the seed makes songs differ.
fn stem(name: &str, seed: u32) -> Planar {
    let mut state = seed * 977 + name.len() as u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as f32 / 65_536.0 - 0.5
    };
    let breath = 1.0 + 0.13 * seed as f32;
    let wave = |frame: usize| {
        let time = frame as f32 / RATE_HZ as f32;
        let tone = |hz: f32| (time * hz * std::f32::consts::TAU).sin();
        let swell = 0.55 + 0.45 * tone(breath * (0.3 + 0.4 * name.len() as f32 / 6.0));
        match name {
            "drums" => {
                let beat = 2_000 + 170 * seed as usize;
                0.6 * noise() * (-((frame % beat) as f32) / 900.0).exp()
            }
            "bass" => 0.2 * swell * tone(80.0),
            "other" => 0.1 * swell * (tone(330.0) + tone(495.0)),
            _ => 0.15 * swell * tone(700.0 + 2.0 * tone(5.0)),
        }
    };
    let samples: Vec<f32> = (0..SECONDS * RATE_HZ as usize).map(wave).collect();
    Planar::from_channels(vec![samples.clone(), samples]).unwrap()
}

fn write(path: &Path, rate_hz: u32, audio: &Planar) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let channels = audio.channel_count();
    let mut writer = FileWriter::create(path, rate_hz, channels, Encoding::Wav32Float).unwrap();
    writer.write(audio).unwrap();
    writer.finish().unwrap();
}

/// Songs with one fault each, a model and a place for what comes of them.
struct Bench {
    folder: tempfile::TempDir,
    /// Songs so far, which differ.
    songs: u32,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
            songs: 0,
        };
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
            provenance: Provenance::default(),
            licence: "CC0-1.0".into(),
        };
        let path = bench.path("model.safetensors");
        checkpoint.save(&path, Storage::F32).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A good song and its folder, for a fault.
    fn song(&mut self, name: &str) -> PathBuf {
        self.songs += 1;
        let folder = self.path("songs").join(name);
        for name in STEMS {
            let path = folder.join(name).with_extension("wav");
            write(&path, RATE_HZ, &stem(name, self.songs));
        }
        folder
    }

    /// One song of each kind.
    fn with_every_fault() -> Self {
        let mut bench = Self::new();
        bench.song("good");
        let spoil = |path: PathBuf, change: &dyn Fn(&mut Planar)| {
            let mut audio = bunri_stream::read_clip(&path).unwrap().audio;
            change(&mut audio);
            write(&path, RATE_HZ, &audio);
        };
        let nan = bench.song("nan").join("vocals.wav");
        spoil(nan, &|audio| {
            audio.channel_mut(1)[RATE_HZ as usize] = f32::NAN
        });
        let infinite = bench.song("infinite").join("bass.wav");
        spoil(infinite, &|audio| {
            audio.channel_mut(0)[12_000] = f32::INFINITY
        });
        let cut = bench.song("cut").join("drums.wav");
        let bytes = fs::read(&cut).unwrap();
        fs::write(cut, &bytes[..bytes.len() * 3 / 10]).unwrap();
        let short = bench.song("short").join("bass.wav");
        spoil(short, &|audio| audio.resize_frames(9_600));
        let shorter = bench.song("a little short").join("bass.wav");
        spoil(shorter, &|audio| audio.resize_frames(30_000));
        let silent = bench.song("silent").join("drums.wav");
        spoil(silent, &|audio| {
            audio.channels_mut().for_each(|x| x.fill(0.0))
        });
        fs::remove_file(bench.song("missing").join("vocals.wav")).unwrap();
        let dead = bench.song("dead link").join("other.wav");
        fs::remove_file(&dead).unwrap();
        std::os::unix::fs::symlink("no/such/file.wav", dead).unwrap();
        let rate = bench.song("rate").join("bass.wav");
        let audio = bunri_stream::read_clip(&rate).unwrap().audio;
        let audio = bunri_stream::resample_clip(&audio, RATE_HZ, 16_000).unwrap();
        write(&rate, 16_000, &audio);
        let mono = bench.song("mono").join("vocals.wav");
        let channel = bunri_stream::read_clip(&mono)
            .unwrap()
            .audio
            .channel(0)
            .to_vec();
        write(
            &mono,
            RATE_HZ,
            &Planar::from_channels(vec![channel]).unwrap(),
        );
        fs::write(bench.song("text").join("bass.wav"), "this is no audio\n").unwrap();
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
        fs::write(bench.song("pointer").join("vocals.wav"), pointer).unwrap();
        let named = bench.song("names");
        fs::rename(named.join("drums.wav"), named.join("Drums.WAV")).unwrap();
        fs::rename(named.join("bass.wav"), named.join("bass (1).wav")).unwrap();
        let copy = bench.song("copy").join("vocals.wav");
        fs::copy(bench.path("songs/good/vocals.wav"), copy).unwrap();
        let container = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/bursts.stem.mp4");
        fs::copy(container, bench.path("songs/container.stem.m4a")).unwrap();
        bench
    }

    fn trainer(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    fn evaluate(&self, more: &[&str]) -> Command {
        let mut command = self.trainer(&["evaluate", "--model", "model.safetensors"]);
        command
            .args(["--data", "songs", "--json", "e.json"])
            .args(more);
        command
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What is said of each song in a list of `{name, ...}`.
fn by_name(list: &Value) -> BTreeMap<String, Value> {
    let songs = list.as_array().unwrap().iter();
    let named = songs.map(|song| (song["name"].as_str().unwrap().to_owned(), song.clone()));
    named.collect()
}

/// Guards hours of work from one bad song, and figures from songs that are not what they seem.
#[test]
fn an_evaluation_goes_on_and_lists_what_it_could_not_score() {
    let bench = Bench::with_every_fault();
    let output = bench.evaluate(&[]).output().unwrap();
    println!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
    let report = bench.json("e.json");
    let failed = by_name(&report["failed"]);
    let expected = [
        ("cut", "drums.wav is damaged"),
        ("dead link", "other.wav"),
        ("pointer", "vocals.wav"),
        ("short", "bass ends after 1.2 of 4.0 s"),
        ("text", "bass.wav"),
    ];
    assert_eq!(
        Vec::from_iter(failed.keys()),
        expected.map(|(name, _)| name)
    );
    for (name, words) in expected {
        let error = failed[name]["error"].as_str().unwrap();
        assert!(error.contains(words), "{error}");
        assert!(stderr(&output).contains(error), "{name}");
    }
    let scored = by_name(&report["songs"]);
    assert_eq!(scored.len(), 11);
    let warning = |song: &str| scored[song]["warnings"][0].as_str().unwrap_or("none");
    assert!(
        warning("nan").contains("1 invalid samples"),
        "{}",
        warning("nan")
    );
    assert!(
        warning("nan").contains("first at 1.000 s"),
        "{}",
        warning("nan")
    );
    assert!(warning("infinite").contains("first at 1.500 s"));
    assert!(warning("a little short").contains("bass ends 0.2 s before the song"));
    assert_eq!(warning("good"), "none");
    assert!(
        report["ignored"][0]
            .as_str()
            .unwrap()
            .contains("bass (1).wav")
    );
    assert!(scored["names"]["systems"]["model"]["drums"].is_object());
    assert_eq!(
        scored["container"]["systems"]["model"]
            .as_object()
            .unwrap()
            .len(),
        4
    );
    // A count beside each mean: `missing` has no vocals, in `silent` the drums do not count.
    let stems = &report["summary"]["model"]["stems"];
    assert_eq!(stems["other"]["nsdr_count"], 11);
    assert_eq!(stems["vocals"]["nsdr_count"], 10);
    assert_eq!(stems["drums"]["nsdr_count"], 10);
    assert!(String::from_utf8_lossy(&output.stdout).contains("songs counted"));

    let allowed = bench.evaluate(&["--songs", "short", "--allow-short"]);
    assert!({ allowed }.status().unwrap().success());
    let report = bench.json("e.json");
    let warning = &report["songs"][0]["warnings"][0];
    assert!(
        warning.as_str().unwrap().contains("2.8 s before"),
        "{warning}"
    );
}

/// Guards a comparison from stems of another program that are cut, or hold NaN: the first were scored
/// as silence, the second dropped out of the mean.
#[test]
fn estimates_that_are_no_stems_are_the_worst_or_refused() {
    let mut bench = Bench::new();
    for song in ["cut", "good", "nan"] {
        let folder = bench.song(song);
        for name in STEMS {
            let file = name.to_owned() + ".wav";
            let to = bench.path("theirs").join(song).join(&file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(folder.join(&file), to).unwrap();
        }
    }
    let bad = bench.path("theirs/nan/vocals.wav");
    let mut audio = bunri_stream::read_clip(&bad).unwrap().audio;
    audio.channel_mut(0)[20_000] = f32::NAN;
    write(&bad, RATE_HZ, &audio);
    let cut = bench.path("theirs/cut/drums.wav");
    let audio = bunri_stream::read_clip(&cut).unwrap().audio;
    write(&cut, RATE_HZ, &audio.slice(0, 9_600));

    let output = bench.evaluate(&["--estimates", "theirs"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = bench.json("e.json");
    let songs = by_name(&report["songs"]);
    assert!(songs["cut"]["systems"]["model"]["drums"]["nsdr_db"].is_number());
    assert!(songs["cut"]["systems"].get("stems in files").is_none());
    let error = songs["cut"]["errors"][0].as_str().unwrap();
    assert!(
        error.contains("drums.wav has 1.2 s, the song 4.0 s"),
        "{error}"
    );
    assert!(stderr(&output).contains(error));
    let theirs = &songs["nan"]["systems"]["stems in files"];
    assert_eq!(theirs["vocals"]["invalid_estimate"], true);
    assert_eq!(theirs["vocals"]["nsdr_db"], -200.0);
    assert_eq!(theirs["vocals"]["sdr_active_db"], -200.0);
    assert!(theirs["drums"]["nsdr_db"].as_f64().unwrap() > 90.0);
    let warning = songs["nan"]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("first at 2.500 s"), "{warning}");
    let vocals = &report["summary"]["stems in files"]["stems"]["vocals"];
    assert_eq!(vocals["nsdr_count"], 2);
    assert!(vocals["nsdr_mean_db"].as_f64().unwrap() < -40.0, "{vocals}");
}

/// Guards the report from the words about it: a closed or a full standard output.
#[test]
fn an_evaluation_outlives_its_reader() {
    let mut bench = Bench::new();
    bench.song("good");
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    assert!(
        bench
            .evaluate(&[])
            .stdout(full())
            .status()
            .unwrap()
            .success()
    );
    assert!(bench.json("e.json")["summary"].is_object());
    fs::remove_file(bench.path("e.json")).unwrap();
    let mut child = bench.evaluate(&[]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert!(bench.json("e.json")["summary"].is_object());
    // Without a file the result is lost, and that is a failure.
    let mut command = bench.trainer(&["evaluate", "--model", "model.safetensors"]);
    let output = command.args(["--data", "songs"]).stdout(full()).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("standard output"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_data_check_finds_every_fault() {
    let bench = Bench::with_every_fault();
    let check = |more: &[&str]| {
        let arguments = [&["data", "check", "songs"], more].concat();
        bench.trainer(&arguments).output().unwrap()
    };
    let output = check(&["--json", "check.json"]);
    println!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
    let songs = bench.json("check.json");
    let found = |song: &str, kind: &str| {
        let song = by_name(&songs).remove(song).unwrap();
        let findings = song["findings"].as_array().unwrap().clone();
        let found = findings.iter().find(|finding| finding["kind"] == kind);
        found.map(|finding| finding["detail"].as_str().unwrap().to_owned())
    };
    for (song, kind, words) in [
        ("nan", "invalid", "vocals.wav: 1 invalid samples"),
        ("infinite", "invalid", "the first at 1.500 s"),
        ("cut", "unreadable", "drums.wav is damaged"),
        ("short", "length", "1.20 s"),
        ("a little short", "length", "3.75 s"),
        ("silent", "silent", "-60 dBFS"),
        ("missing", "missing", "no file"),
        ("dead link", "unreadable", "other.wav"),
        ("rate", "rate", "bass 16000 Hz"),
        ("text", "unreadable", "bass.wav"),
        ("pointer", "unreadable", "vocals.wav"),
        ("names", "ignored", "bass (1).wav"),
        ("names", "missing", "no file"),
    ] {
        let detail = found(song, kind).unwrap_or_else(|| panic!("{song}: no {kind}"));
        assert!(detail.contains(words), "{song}: {detail}");
    }
    let copies = ["good", "copy"].map(|song| found(song, "duplicate"));
    assert!(copies.iter().flatten().count() == 1, "{copies:?}");
    for kind in [
        "unreadable",
        "invalid",
        "silent",
        "missing",
        "rate",
        "length",
        "ignored",
    ] {
        for song in ["good", "mono"] {
            assert_eq!(found(song, kind), None, "{song}");
        }
    }
    // As a flag it prints, wherever it stands.
    let printed = check(&["--json"]);
    let before = bench
        .trainer(&["data", "check", "--json", "songs"])
        .output();
    assert_eq!(printed.stdout, before.unwrap().stdout);
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(printed, songs);
}

#[test]
fn a_training_leaves_out_what_is_damaged_and_says_so() {
    let mut bench = Bench::with_every_fault();
    let valid = bench.song("valid");
    fs::create_dir(bench.path("valid")).unwrap();
    fs::rename(valid, bench.path("valid/song")).unwrap();
    let config = format!(
        r#"
output = "run"
threads = 1
[card]
data = "noise"
licence = "CC0-1.0"
[model]
architecture = "demucs"
channels = 4
depth = 2
resample = false
sample_rate = {RATE_HZ}
segment_frames = 2000
[optimiser]
steps = 2
batch = 2
[augment]
repitch = {{ probability = 0.0 }}
[[data.train]]
path = "songs"
[[data.valid]]
path = "valid"
"#
    );
    fs::write(bench.path("config.toml"), config).unwrap();
    // Decoded files are in the cache the second time: the words are the same.
    for steps in ["2", "3"] {
        let set = format!("optimiser.steps={steps}");
        let output = bench
            .trainer(&["train", "--config", "config.toml", "--set", &set])
            .output();
        let (output, text) = output
            .map(|output| (output.clone(), stderr(&output)))
            .unwrap();
        println!("{text}");
        assert!(output.status.success(), "{text}");
        for song in ["cut", "dead link", "text", "pointer"] {
            assert!(
                text.contains(&format!("left out song {song:?}")),
                "{song}: {text}"
            );
        }
        assert_eq!(text.matches("left out").count(), 4, "{text}");
        for words in [
            "songs/nan/vocals.wav: 1 invalid samples (NaN, infinite or above +60 dBFS) are silence, the \
             first at 1.000 s",
            "songs/infinite/bass.wav: 1 invalid samples",
            "song \"short\": bass ends after 1.2 of 4.0 s",
            "bass (1).wav is not read",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    assert!(bench.path("run/best.safetensors").is_file());
}
