#!/usr/bin/env bash
# libsndfile reads a loud Vorbis or Opus file as 16 bits by wrapping around; an MP3 it clips.
#
# Seen 2026-11-30: soundfile 0.14.0 (PyPI, with libsndfile 1.2.2 inside), numpy 2.2.6, Python 3.11.
# Guess: all lossy formats clip at full scale when read as int16.
# Seen: a 200 Hz sine of peak 1.5; the largest step between neighbouring int16 samples:
#   MP3: peak 1.50 as float, largest step 1643 as int16: clipped
#   Vorbis: peak 1.55 as float, largest step 64521 as int16: the top of each wave is turned over
#   Opus: peak 2.64 as float, largest step 64604 as int16: likewise
# Why it matters: lossy masters decode above full scale. A set of training songs read as int16 gets full-scale
# crackle that no level meter or length check notices; read float, and clip on purpose.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==2.2.6 soundfile==0.14.0

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import io

import numpy as np
import soundfile

print("libsndfile", soundfile.__libsndfile_version__)
steps = {}
for name, rate, container, subtype in (
    ("MP3", 44100, "MP3", "MPEG_LAYER_III"),
    ("Vorbis", 44100, "OGG", "VORBIS"),
    ("Opus", 48000, "OGG", "OPUS"),
):
    sine = 1.5 * np.sin(2 * np.pi * 200 * np.arange(2 * rate) / rate)
    file = io.BytesIO()
    soundfile.write(file, np.stack([sine, sine], axis=1), rate, format=container, subtype=subtype)
    file.seek(0)
    pcm = soundfile.read(file, dtype="int16")[0].astype(int)
    file.seek(0)
    peak = np.abs(soundfile.read(file)[0][rate:]).max()
    steps[name] = np.abs(np.diff(pcm[:, 0])).max()
    print(f"{name}: peak {peak:.2f} as float, largest step {steps[name]} as int16")
    assert peak > 1.4, f"{name} no longer decodes above full scale"
assert steps["MP3"] < 5000, steps
assert steps["Vorbis"] > 60000 and steps["Opus"] > 60000, steps
EOF
