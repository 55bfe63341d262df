#!/usr/bin/env bash
# A seek in an MP3 arrives at the right frame with the wrong sound: in Symphonia, and in libsndfile from the second seek on.
#
# Seen 2026-11-30: symphonia 0.6.1, Rust 1.95; soundfile 0.14.0 (libsndfile 1.2.2, which also wrote the file), numpy 2.2.6.
# Guess: what is decoded from the required frame on equals the same frames of the whole decode, in both; what lies between
# Symphonia's `actual_ts` and `required_ts` may differ, which is what a caller throws away.
# Seen, 80 seeks in noise of peak 0.3; "wrong" is further than 0.01 from the whole decode at or behind the required frame:
#   libsndfile, a new file object for each seek: 0 begin with wrong sound
#   libsndfile, one file object for all: 43 begin with wrong sound, for up to 1925 frames, by up to 0.31
#   symphonia, 80 accurate seeks: 40 begin with wrong sound, for up to 1466 frames, by up to 0.30
# A packet's bits may begin in packets before it (the bit reservoir), and the run-up does not reach back to them.
# Why it matters: each random crop of an MP3 for training and each loop point may begin with up to 45 ms of something
# else, at the right place and length. Decode from the start, or seek some packets earlier and throw more away.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages \
    numpy==2.2.6 soundfile==0.14.0
PYTHONPATH=packages python3 - <<'EOF'
import numpy as np
import soundfile

noise = np.convolve(np.random.default_rng(2).standard_normal(100_001), 0.95 ** np.arange(60), "same")
soundfile.write("song.mp3", np.stack([noise, noise[::-1]], axis=1) * 0.3 / np.abs(noise).max(), 44100)
whole = soundfile.read("song.mp3")[0]
seeks = range(10_000, 90_000, 1000)


def wrong(file, frame):
    file.seek(frame)
    errors = np.abs(file.read(5000) - whole[frame : frame + 5000]).max(axis=1)
    return len(np.trim_zeros(errors > 0.01, "b")), errors.max()


new = [wrong(soundfile.SoundFile("song.mp3"), frame) for frame in seeks]
with soundfile.SoundFile("song.mp3") as file:
    same = [wrong(file, frame) for frame in seeks]
for name, seen in (("a new file object for each seek", new), ("one file object for all", same)):
    count, longest, worst = np.count_nonzero([run for run, _ in seen]), *np.max(seen, axis=0)
    print(f"libsndfile, {name}: {count} begin with wrong sound, for up to {longest:.0f} frames, by up to {worst:.2f}")
assert not any(run for run, _ in new) and sum(run > 0 for run, _ in same) >= 5
EOF
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "seek"
version = "0.0.0"
edition = "2024"
[dependencies]
symphonia = { version = "=0.6.1", default-features = false, features = ["mp3"] }
symphonia-core = "=0.6.1"
symphonia-bundle-mp3 = "=0.6.1"
EOF
cat >src/main.rs <<'EOF'
use symphonia::core::codecs::{CodecParameters, audio::AudioDecoderOptions};
use symphonia::core::formats::{SeekMode, SeekTo, TrackType, probe::Hint};
use symphonia::core::io::MediaSourceStream;
use symphonia::default::{get_codecs, get_probe};

/// The left channel, of the whole file or of eight packets from a frame on.
fn decode(from: Option<i64>) -> (usize, Vec<f32>) {
    let stream = MediaSourceStream::new(Box::new(std::fs::File::open("song.mp3").unwrap()), Default::default());
    let mut format = get_probe().probe(&Hint::new(), stream, Default::default(), Default::default()).unwrap();
    let track = format.default_track(TrackType::Audio).unwrap();
    let track_id = track.id;
    let Some(CodecParameters::Audio(parameters)) = &track.codec_params else { panic!("no audio") };
    let mut decoder = get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default().gapless(true)).unwrap();
    let actual = from.map_or(0, |frame| {
        let to = SeekTo::Timestamp { ts: frame.into(), track_id };
        format.seek(SeekMode::Accurate, to).unwrap().actual_ts.get()
    });
    decoder.reset();
    let (mut left, mut channels) = (Vec::new(), Vec::<Vec<f32>>::new());
    for _ in 0..if from.is_some() { 8 } else { usize::MAX } {
        let Some(packet) = format.next_packet().unwrap() else { break };
        decoder.decode(&packet).unwrap().copy_to_vecs_planar::<f32>(&mut channels);
        left.append(&mut channels[0]);
    }
    (actual as usize, left)
}

fn main() {
    let (_, whole) = decode(None);
    let (mut wrong, mut worst, mut longest) = (0, 0.0_f32, 0);
    for required in (10_000..90_000_usize).step_by(1000) {
        let (actual, part) = decode(Some(required as i64));
        assert!(actual <= required);
        let errors = (required..actual + part.len()).map(|at| (part[at - actual] - whole[at]).abs());
        let errors: Vec<f32> = errors.collect();
        wrong += usize::from(errors.iter().any(|&error| error > 0.01));
        longest = longest.max(errors.iter().rposition(|&error| error > 0.01).map_or(0, |at| at + 1));
        worst = errors.into_iter().fold(worst, f32::max);
    }
    println!("symphonia, 80 accurate seeks: {wrong} begin with wrong sound, for up to {longest} frames, by up to {worst:.2}");
    assert!(wrong >= 5 && worst > 0.05, "the sound is right now");
}
EOF
CARGO_TARGET_DIR=$dir/target cargo run --quiet
