#!/usr/bin/env bash
# stempeg reads a stem file as int16 and gives silence; stems of different lengths are an AttributeError.
#
# Seen 2026-11-30: stempeg 0.2.3, FFmpeg 7.0.2 (imageio-ffmpeg 0.6.0), ffprobe of @ffprobe-installer/linux-x64 5.2.0 (npm),
# numpy 1.26.4, Python 3.11.
# Guess: `dtype=np.int16` gives samples of 16 bits, scaled, as soundfile does; stems of different lengths are shortened, and
# a warning says so, as the text in its code has it.
# Seen, five stems of noise, peak 0.9, in an mp4 as ALAC:
#   float32: 440992 of 441000 samples are not zero, peak 0.89999
#   int16: 0 of 441000 samples are not zero, peak 0
#   int16 with ffmpeg_format="s16le": 440992 of 441000 samples are not zero, peak 29491
#   streams of 1 and 2 s: AttributeError: module 'warnings' has no attribute 'warning'
# FFmpeg's floats between -1 and 1 are cast, not scaled; only the other way round is.
# Why it matters: stempeg is how Python reads stem files, musdb's and Bunri's. A training set in int16, to save memory, is
# silent without an error; and a stem file whose streams differ by one frame is not read at all, so they must not differ.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages \
    numpy==1.26.4 stempeg==0.2.3 imageio-ffmpeg==0.6.0
npm install --silent --no-fund --no-audit --prefix . @ffprobe-installer/linux-x64@5.2.0 >/dev/null
mkdir bin
ln -s "$dir/node_modules/@ffprobe-installer/linux-x64/ffprobe" bin/ffprobe
ln -s "$(PYTHONPATH=packages python3 -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')" bin/ffmpeg
chmod u+x bin/ffprobe

PATH=$dir/bin:$PATH PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import subprocess

import numpy as np
import stempeg

noise = np.random.default_rng(1).uniform(-0.9, 0.9, (5, 44100, 2))
stempeg.write_stems("song.mp4", noise, sample_rate=44100, writer=stempeg.StreamsWriter(codec="alac"))
heard = {}
for name, options in (
    ("float32", {"dtype": np.float32}),
    ("int16", {"dtype": np.int16}),
    ("int16 by s16le", {"dtype": np.int16, "ffmpeg_format": "s16le"}),
):
    stems = stempeg.read_stems("song.mp4", **options)[0]
    heard[name] = np.count_nonzero(stems)
    print(f"{name}: {heard[name]} of {stems.size} samples are not zero, peak {np.abs(stems).max():.5g}")
assert heard["int16"] == 0 and min(heard["float32"], heard["int16 by s16le"]) > 440_000, heard

streams = "-f lavfi -i anoisesrc=a=0.1:r=44100:d=1 -f lavfi -i anoisesrc=a=0.1:r=44100:d=2 -map 0 -map 1 -c:a alac"
subprocess.run(["ffmpeg", "-v", "error", *streams.split(), "differ.mp4"], check=True)
try:
    raise SystemExit(f"stems of different lengths are read: {stempeg.read_stems('differ.mp4')[0].shape}")
except AttributeError as error:
    print("streams of 1 and 2 s: AttributeError:", error)
EOF
