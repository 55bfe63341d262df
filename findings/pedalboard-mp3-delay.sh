#!/usr/bin/env bash
# pedalboard keeps an MP3's encoder delay that libsndfile removes, and calls the length exact.
#
# Seen 2026-11-30: pedalboard 0.9.26, soundfile 0.14.0 (libsndfile 1.2.2, which also wrote the file, by LAME), numpy 2.2.6.
# Guess: a reader that offers `exact_duration_known` obeys the LAME tag: 100,001 frames, an impulse where it was.
# Seen: 100,001 frames, an impulse at 50000:
#   libsndfile: 100001 frames, impulse at 50000
#   pedalboard: 101376 frames, impulse at 51105, exact_duration_known True
# Why it matters: 25 ms late. A mixture read by one and stems by the other do not null, and a separation of songs loaded
# with pedalboard scores below 0 dB against references that were loaded with libsndfile.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==2.2.6 soundfile==0.14.0 pedalboard==0.9.26

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import numpy as np
import soundfile
from pedalboard.io import AudioFile

impulse = np.zeros((100_001, 2), np.float32)
impulse[50_000] = 0.9
soundfile.write("song.mp3", impulse, 44100)
sndfile = soundfile.read("song.mp3")[0]
with AudioFile("song.mp3") as file:
    exact = file.exact_duration_known
    pedalboard = file.read(file.frames).T
seen = {}
for name, decoded in (("libsndfile", sndfile), ("pedalboard", pedalboard)):
    seen[name] = len(decoded), int(np.abs(decoded[:, 0]).argmax())
    print(f"{name}: {seen[name][0]} frames, impulse at {seen[name][1]}")
print("exact_duration_known", exact)
assert seen == {"libsndfile": (100_001, 50_000), "pedalboard": (101_376, 51_105)} and exact, (seen, exact)
EOF
