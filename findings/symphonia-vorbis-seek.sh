#!/usr/bin/env bash
# Symphonia refuses to seek to the last 128 frames of an Ogg Vorbis file that it decodes and counts.
#
# Seen 2026-11-30: symphonia 0.6.1, Rust 1.95; soundfile 0.14.0 (libsndfile 1.2.2, libvorbis), numpy 2.2.6.
# Guess: every frame below `num_frames` can be sought, as in the other formats.
# Seen, for a file of 100,001 frames:
#   num_frames 100001, delay 128, decoded 100001
#   seek to 99873: 993 frames decoded from there; seek to 99874: requested seek timestamp is out-of-range for stream
# The bound is the length less the encoder's delay, which stands before frame 0: it is subtracted once too often.
# Why it matters: a loop or a resumed job that ends near the end of a song fails with an error that the length contradicts.
# Seek no later than `num_frames - delay`, and decode the rest.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages \
    numpy==2.2.6 soundfile==0.14.0
PYTHONPATH=packages python3 - <<'EOF'
import numpy as np
import soundfile

soundfile.write("song.ogg", np.random.default_rng(2).uniform(-0.3, 0.3, (100_001, 2)), 44100, format="OGG", subtype="VORBIS")
EOF
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "seek"
version = "0.0.0"
edition = "2024"
[dependencies]
symphonia = { version = "=0.6.1", default-features = false, features = ["ogg", "vorbis"] }
symphonia-core = "=0.6.1"
symphonia-format-ogg = "=0.6.1"
symphonia-codec-vorbis = "=0.6.1"
EOF
cat >src/main.rs <<'EOF'
use symphonia::core::codecs::{CodecParameters, audio::AudioDecoderOptions};
use symphonia::core::formats::{SeekMode, SeekTo, TrackType, probe::Hint};
use symphonia::core::io::MediaSourceStream;
use symphonia::default::{get_codecs, get_probe};

/// Frames decoded after a seek.
fn decode(from: i64) -> Result<usize, String> {
    let stream = MediaSourceStream::new(Box::new(std::fs::File::open("song.ogg").unwrap()), Default::default());
    let mut format = get_probe().probe(&Hint::new(), stream, Default::default(), Default::default()).unwrap();
    let track = format.default_track(TrackType::Audio).unwrap();
    let (track_id, delay) = (track.id, track.delay);
    assert_eq!((track.num_frames, delay), (Some(100_001), Some(128)));
    let Some(CodecParameters::Audio(parameters)) = &track.codec_params else { panic!("no audio") };
    let mut decoder = get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default().gapless(true)).unwrap();
    if from > 0 {
        let to = SeekTo::Timestamp { ts: from.into(), track_id };
        format.seek(SeekMode::Accurate, to).map_err(|error| error.to_string())?;
        decoder.reset();
    }
    let mut frames = 0;
    while let Some(packet) = format.next_packet().unwrap() {
        frames += decoder.decode(&packet).unwrap().frames();
    }
    Ok(frames)
}

fn main() {
    let whole = decode(0).unwrap();
    println!("num_frames 100001, delay 128, decoded {whole}");
    assert_eq!(whole, 100_001);
    for frame in [99_873, 99_874, 100_000] {
        let seen = decode(frame);
        println!("seek to {frame}: {}", seen.as_ref().map_or_else(String::clone, |left| format!("{left} frames decoded from there")));
        assert_eq!(seen.is_ok(), frame < 99_874);
    }
}
EOF
CARGO_TARGET_DIR=$dir/target cargo run --quiet
