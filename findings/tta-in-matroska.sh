#!/usr/bin/env bash
# FFmpeg puts TTA into Matroska and cannot read the last block of it again; from its own .tta file it can.
#
# Seen 2026-11-30: FFmpeg 9.0.2 (imageio-ffmpeg 0.8.1; 5.1.9 and 7.0.2 do the same).
# Guess: a lossless codec in an archive's container gives back the 100,001 frames that were written.
# Seen: FLAC, ALAC, WavPack and TrueHD in Matroska: 100001 each; TTA in a .tta file: 100001;
#   TTA in Matroska: 92160 frames, "Invalid data found when processing input", and yet exit code 0
# The block's length (the rest of the song) stands in the header of a .tta file, which the Matroska track does not carry.
# Why it matters: an archive that was made with a lossless codec ends up to a second early, and only a line on stderr says
# so. A decoder has to hold the frames that it got against the container's duration.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages imageio-ffmpeg==0.8.1

ffmpeg=$(PYTHONPATH=packages python3 -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
frames() { # FILE CODEC
    "$ffmpeg" -v error -f lavfi -i "anoisesrc=a=0.1:r=44100:seed=1,atrim=end_sample=100001" -ac 2 -strict -2 -c:a "$2" "$1"
    "$ffmpeg" -v error -i "$1" -f s16le -c:a pcm_s16le - 2>"$1.log" >"$1.pcm"
    echo "$1: $(($(wc -c <"$1.pcm") / 4)) frames, $(grep -c 'Invalid data' "$1.log" || true) errors"
}
for codec in flac alac wavpack truehd tta; do frames "$codec.mkv" "$codec"; done | tee seen
frames tta.tta tta | tee -a seen
grep -q '^tta.mkv: 92160 frames' seen
[[ $(grep -c ': 100001 frames, 0 errors' seen) == 5 ]]
