#!/usr/bin/env bash
# One NaN ends a FLAC that libsndfile writes: each later block fails too, with the reason "No Error.".
#
# Seen 2026-11-30: soundfile 0.14.0 (libsndfile 1.2.2), FFmpeg 9.0.2 (imageio-ffmpeg 0.8.1), numpy 2.2.6, x86-64.
# Guess: as in WAV, AIFF and ALAC, the NaN becomes some number (there it is full scale, -1.0), and the rest is written.
# Seen: ten blocks of 10,000 frames, a NaN in the sixth:
#   WAV: 0 blocks failed; frames read by FFmpeg: 100000
#   FLAC: 5 blocks failed, error 0 "No Error."; frames read by FFmpeg: 49152; libsndfile calls it 9223372036854775807 long
#   FLAC by soundfile.write under python -O: no exception; frames read by FFmpeg: 49152
# Only an `assert` of the wrapper notices that fewer frames were taken, and -O removes it; finite values the format clips.
# Why it matters: half a stem is lost, a message names no cause, and the file left behind opens. A writer of FLAC has to
# replace NaN itself, and to count what was taken.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==2.2.6 soundfile==0.14.0 imageio-ffmpeg==0.8.1

cat >write.py <<'EOF'
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import soundfile

noise = np.random.default_rng(0).standard_normal((100_000, 2)) * 0.1
noise[50_000, 0] = np.nan


def read_by_ffmpeg(path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "s16le", "-c:a", "pcm_s16le", "-"]
    return len(subprocess.run(command, check=True, capture_output=True).stdout) // 4


if sys.flags.optimize:
    soundfile.write("whole.flac", noise, 44100)
    frames = read_by_ffmpeg("whole.flac")
    print("FLAC by soundfile.write under python -O: no exception; frames read by FFmpeg:", frames)
    sys.exit(0 if frames == 49_152 else "no longer cut short")
for container, failures, frames in (("WAV", 0, 100_000), ("FLAC", 5, 49_152)):
    failed = 0
    with soundfile.SoundFile("song", "w", 44100, 2, "PCM_16", format=container) as file:
        for block in np.split(noise, 10):
            try:
                file.write(block)
            except AssertionError:
                failed += 1
                reason = soundfile._snd.sf_error(file._file)
                assert reason == 0, "libsndfile gives a reason now"
    read = read_by_ffmpeg("song")
    print(f"{container}: {failed} blocks failed; frames read by FFmpeg: {read};",
          "libsndfile calls it", soundfile.info("song").frames, "long")
    assert (failed, read) == (failures, frames)
EOF
PYTHONPATH=packages python3 write.py
PYTHONPATH=packages python3 -O write.py
