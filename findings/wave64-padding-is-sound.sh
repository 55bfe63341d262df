#!/usr/bin/env bash
# A Wave64 file by FFmpeg has up to seven bytes too many: its padding counts as sound, for itself and for others.
#
# Seen 2026-11-30: FFmpeg 9.0.2 (imageio-ffmpeg 0.8.1; 5.1.9 and 7.0.2 do the same), libsndfile 1.2.2 (soundfile 0.14.0).
# Guess: uncompressed sound comes back with the number of frames that was written, as from every other format.
# Seen, stereo of 16 bits, where 8 bytes are two frames:
#   1000 frames: FFmpeg's file: FFmpeg 1000, libsndfile 1000; libsndfile's file: FFmpeg 1000, libsndfile 1000
#   1001 frames: FFmpeg's file: FFmpeg 1002, libsndfile 1002; libsndfile's file: FFmpeg 1001, libsndfile 1001
# Mono of 8 bits: 1001 frames become 1008. Chunks begin at multiples of 8 bytes; FFmpeg writes the rounded size.
# Why it matters: the samples at the end are zeros that were never recorded, and a stem beside its mixture is one frame
# longer. A reader of Wave64 cannot repair it: the size is all there is.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==2.2.6 soundfile==0.14.0 imageio-ffmpeg==0.8.1

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import subprocess

import imageio_ffmpeg
import numpy as np
import soundfile

FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]


def lengths(frames, channels, codec):
    pcm = np.random.default_rng(1).integers(1, 100, (frames, channels)).astype(np.int16)
    source = ["-f", "s16le", "-ar", "44100", "-ac", str(channels), "-i", "-", "-c:a", codec]
    subprocess.run(FFMPEG + source + ["ffmpeg.w64"], input=pcm.tobytes(), check=True)
    subtype = {"pcm_s16le": "PCM_16", "pcm_u8": "PCM_U8"}[codec]
    soundfile.write("sndfile.w64", pcm, 44100, format="W64", subtype=subtype)
    row = []
    for file in ("ffmpeg.w64", "sndfile.w64"):
        decode = FFMPEG + ["-i", file, "-f", "s16le", "-c:a", "pcm_s16le", "-"]
        decoded = subprocess.run(decode, check=True, capture_output=True).stdout
        row += [len(decoded) // (2 * channels), soundfile.info(file).frames]
    print(f"{frames} frames, {channels} x {codec}: FFmpeg's file: FFmpeg %d, libsndfile %d; "
          "libsndfile's file: FFmpeg %d, libsndfile %d" % tuple(row))
    return row


assert lengths(1000, 2, "pcm_s16le") == [1000] * 4
assert lengths(1001, 2, "pcm_s16le") == [1002, 1002, 1001, 1001]
assert lengths(1001, 1, "pcm_u8") == [1008, 1008, 1001, 1001]
EOF
