//! The `bounce` program from outside: what it writes, what it says, what it leaves behind.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

mod bouncing;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bouncing::{
    Bench, RATE_HZ, STEMS, assert_exit, assert_they_add_up, entries, file_names, stderr, stems,
};
use bunri_stream::read_clip;

#[test]
fn a_bad_file_is_named_and_does_not_stop_the_next_one() {
    let bench = Bench::new();
    let letter = bench.path("letter.wav");
    fs::write(&letter, "not audio, whatever its name says\n".repeat(1000)).unwrap();
    let song = bench.song("song.wav", RATE_HZ, 2, 30_011);
    let output = bench.run(&[], &[&letter, &bench.path("missing.mp3"), &song]);
    assert_exit(&output, 1);
    let said = stderr(&output);
    assert!(said.contains("letter.wav: not a song but a text"), "{said}");
    assert!(said.contains("missing.mp3: no such file"), "{said}");
    assert!(
        said.contains("2 of 3 files could not be separated"),
        "{said}"
    );
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("times real time") && told.contains("latency"),
        "{told}"
    );
    // Progress bars are for terminals.
    assert!(
        !said.contains(['\r', '\u{1b}']) && !told.contains(['\r', '\u{1b}']),
        "{said}{told}"
    );
    assert_they_add_up(&song, &stems(&bench.path("out/song"), &STEMS, "wav"));
    assert_eq!(
        entries(&bench.path("out")).len(),
        1,
        "a folder for a file that failed"
    );
    assert_eq!(
        file_names(&bench.path("out/song")),
        [
            "bass.wav",
            "bunri.json",
            "drums.wav",
            "other.wav",
            "vocals.wav"
        ],
        "something temporary was left"
    );
}

#[test]
fn other_rates_mono_and_integers_add_up_as_well() {
    let bench = Bench::new();
    let mono = bench.song("mono.wav", 48_000, 1, 20_001);
    let short = bench.song("short.wav", 22_050, 2, 1);
    assert_exit(&bench.run(&["--format", "flac"], &[&mono]), 0);
    assert_they_add_up(&mono, &stems(&bench.path("out/mono"), &STEMS, "flac"));
    assert_exit(&bench.run(&["--bits", "24"], &[&short]), 0);
    assert_eq!(
        read_clip(bench.path("out/short/bass.wav"))
            .unwrap()
            .audio
            .frames(),
        1
    );

    let surround = bench.song("surround.wav", RATE_HZ, 6, 1000);
    let output = bench.run(&[], &[&surround]);
    assert_exit(&output, 1);
    assert!(
        stderr(&output).contains("has 6 channels"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn two_stems_are_the_one_and_the_rest() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 20_000);
    assert_exit(&bench.run(&["--two-stems", "vocals"], &[&song]), 0);
    assert_eq!(
        file_names(&bench.path("out/song")),
        ["bunri.json", "no_vocals.wav", "vocals.wav"]
    );
    assert_they_add_up(
        &song,
        &stems(&bench.path("out/song"), &["vocals", "no_vocals"], "wav"),
    );
}

#[test]
fn chosen_stems_alone_are_written_and_consistency_can_be_left_out() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 20_000);
    assert_exit(&bench.run(&["--stems", "vocals,drums"], &[&song]), 0);
    assert_eq!(
        file_names(&bench.path("out/song")),
        ["bunri.json", "drums.wav", "vocals.wav"]
    );
    let corrected = read_clip(bench.path("out/song/drums.wav")).unwrap();
    assert_exit(
        &bench.run(&["--stems", "drums", "--no-consistency"], &[&song]),
        0,
    );
    let raw = read_clip(bench.path("out/song/drums.wav")).unwrap();
    assert_eq!(raw.audio.frames(), corrected.audio.frames());
    assert_ne!(raw, corrected);

    let output = bench.run(&["--stems", "piano"], &[&song]);
    assert_exit(&output, 1);
    assert!(
        stderr(&output).contains("drums, bass, other, vocals"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn files_of_one_name_do_not_overwrite_each_other_nor_an_input() {
    let bench = Bench::new();
    let first = bench.song("a/song.wav", RATE_HZ, 2, 9000);
    let second = bench.song("b/song.wav", RATE_HZ, 2, 12_000);
    let endangered = bench.song("out/vocals/vocals.wav", RATE_HZ, 2, 5000);
    let before = fs::read(&endangered).unwrap();
    let output = bench.run(&[], &[&first, &second, &endangered]);
    assert_exit(&output, 1);
    assert_they_add_up(&first, &stems(&bench.path("out/song"), &STEMS, "wav"));
    assert_they_add_up(&second, &stems(&bench.path("out/song.wav"), &STEMS, "wav"));
    assert!(
        stderr(&output).contains("would be overwritten"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read(&endangered).unwrap(), before);
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 200 * RATE_HZ as usize);
    let mut running = bench.bounce(&[]);
    let running = running
        .arg(&song)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let running = running.spawn().unwrap();
    let folder = bench.path("out/song");
    let deadline = Instant::now() + Duration::from_secs(120);
    while entries(&folder).len() < 4 {
        assert!(Instant::now() < deadline, "the run never began to write");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(
        entries(&folder)
            .iter()
            .all(|path| path.extension().unwrap() == "tmp")
    );
    let kill = format!("kill -INT {}", running.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    let output = running.wait_with_output().unwrap();
    assert_exit(&output, 130);
    assert!(
        stderr(&output).contains("interrupted"),
        "{}",
        stderr(&output)
    );
    assert!(!bench.path("out").exists(), "{:?}", entries(&folder));
}

#[test]
fn a_damaged_model_is_named_for_what_it_is() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, 5000);
    let model = bench.path("model.safetensors");
    let whole = fs::read(&model).unwrap();
    fs::write(&model, &whole[..whole.len() - 100]).unwrap();
    let output = bench.run(&[], &[&song]);
    assert_exit(&output, 1);
    assert!(
        stderr(&output).contains("100 bytes short"),
        "{}",
        stderr(&output)
    );

    let mut absurd = whole.clone();
    absurd[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&model, &absurd).unwrap();
    let output = bench.run(&[], &[&song]);
    assert_exit(&output, 1);
    assert!(
        stderr(&output).contains("not a model file"),
        "{}",
        stderr(&output)
    );
    assert!(!bench.path("out").exists());
}

#[test]
fn a_full_disk_is_told_and_left_clean() {
    /// A file system of 400 kB, for as long as it lives.
    struct SmallDisk(PathBuf);
    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let bench = Bench::new();
    let disk = SmallDisk(bench.path("out"));
    fs::create_dir(&disk.0).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=400k", "tmpfs"];
    let mounted = Command::new("mount").args(mount).arg(&disk.0).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        eprintln!("skipped: no permission to mount a small disk");
        return;
    }
    let song = bench.song("song.wav", RATE_HZ, 2, 100_000);
    let output = bench.run(&[], &[&song]);
    assert_exit(&output, 1);
    assert!(
        stderr(&output).contains("the disk is full after"),
        "{}",
        stderr(&output)
    );
    assert!(entries(&disk.0).is_empty(), "{:?}", entries(&disk.0));
}
