//! What the `bounce` program makes of inputs that are not as they should be.

// The helpers around the tests may give up as the tests do.
#![allow(clippy::unwrap_used)]

mod bouncing;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bouncing::{Bench, RATE_HZ, STEMS, assert_exit, stderr, stems};
use bunri_stream::{Encoding, FileWriter, Planar, read_clip};

/// Guards whole windows of every stem against a single sample: one NaN made 2.6 s of NaN.
#[test]
fn samples_that_are_no_numbers_stay_out_of_the_stems() {
    let bench = Bench::new();
    let song = bench.song("song.wav", RATE_HZ, 2, RATE_HZ as usize);
    let mut audio = read_clip(&song).unwrap().audio;
    for (frame, sample) in [(22_050, f32::NAN), (22_051, f32::INFINITY), (30_000, -1e30)] {
        audio
            .channels_mut()
            .for_each(|channel| channel[frame] = sample);
    }
    let mut file = FileWriter::create(&song, RATE_HZ, 2, Encoding::Wav32Float).unwrap();
    file.write(&audio).unwrap();
    file.finish().unwrap();
    let output = bench.run(&[], &[&song]);
    assert_exit(&output, 0);
    let said = stderr(&output);
    assert!(
        said.contains("6 invalid samples") && said.contains("the first at 0.500 s"),
        "{said}"
    );
    let record = std::fs::read_to_string(bench.path("out/song/bunri.json")).unwrap();
    assert!(record.contains("6 invalid samples"), "{record}");
    let mut sum = Planar::zeros(2, RATE_HZ as usize);
    for path in stems(&bench.path("out/song"), &STEMS, "wav") {
        let stem = read_clip(path).unwrap().audio;
        assert!(stem.channels().flatten().all(|sample| sample.is_finite()));
        sum.add(&stem);
    }
    // Where the input was sound the stems still add up to it.
    let miss = (sum.channels().flatten().zip(audio.channels().flatten()))
        .filter(|(_, input)| input.abs() <= 1.0)
        .map(|(sum, input)| (sum - input).abs())
        .fold(0.0, f32::max);
    assert!(miss < bouncing::NULL, "{miss}");
}

/// Guards Ctrl-C while the program waits for input: it did nothing the first time.
#[test]
fn the_first_signal_ends_a_read_that_never_returns() {
    let bench = Bench::new();
    for signal in ["-INT", "-TERM"] {
        let mut command = bench.bounce(&["/dev/stdin"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = command.spawn().unwrap();
        let input = running.stdin.take();
        // It listens before it says anything.
        let mut word = [0];
        std::io::Read::read_exact(running.stdout.as_mut().unwrap(), &mut word).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let process = running.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &process])
                .status()
                .unwrap()
                .success()
        );
        // A machine that is busy with other tests takes its time over the two seconds of grace.
        let deadline = Instant::now() + Duration::from_secs(120);
        while running.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{signal} did not end it");
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = running.wait_with_output().unwrap();
        assert_exit(&output, 130);
        assert!(
            stderr(&output).contains("interrupted"),
            "{}",
            stderr(&output)
        );
        drop(input);
    }
    assert!(!bench.path("out").exists());
}

#[test]
fn a_named_pipe_is_refused_at_once_and_the_next_file_separated() {
    let bench = Bench::new();
    let pipe = bench.path("pipe.wav");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let song = bench.song("song.wav", RATE_HZ, 2, 3000);
    let output = bench.run(&[], &[&pipe, &song]);
    assert_exit(&output, 1);
    let said = stderr(&output);
    assert!(said.contains("pipe.wav: "), "{said}");
    assert!(bench.path("out/song/bunri.json").is_file());
}

#[test]
fn a_rate_that_cannot_be_converted_is_named_with_its_file() {
    let bench = Bench::new();
    let song = bench.song("slow.wav", 100, 2, 50);
    let output = bench.run(&[], &[&song]);
    assert_exit(&output, 1);
    let said = stderr(&output);
    assert!(
        said.contains("slow.wav: its sample rate is 100 Hz"),
        "{said}"
    );
    assert!(!bench.path("out").exists());
}
