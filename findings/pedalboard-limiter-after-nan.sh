#!/usr/bin/env bash
# After one NaN, pedalboard's Limiter plays full-scale direct current to the end, and a check for NaN finds next to none.
#
# Seen 2026-11-30: pedalboard 0.9.26, numpy 2.2.6, Python 3.11.
# Guess: NaN comes out from there on, as a compressor's envelope would keep it, and a look for NaN finds thousands.
# Seen: 100,001 frames of noise (peak 0.3), a NaN in frame 30000, threshold -6 dB:
#   Limiter, 100001 frames: 70000 frames of exactly 1.0, 1 frame of NaN, the last; 0.92 and less before
#   Compressor, 100001 frames: 0 frames of exactly 1.0, 70001 frames of NaN
#   Limiter, 100000 frames: 70000 frames of exactly 1.0, 0 frames of NaN
# The envelope is NaN as guessed; the clipper behind it makes a number of it, in vectors, except in a left-over frame.
# Why it matters: a guard that silences a NaN at the end of a chain never sees this one, and constant full scale is the
# worst that a loudspeaker can be given. A guard belongs in front of a limiter as well as behind the model.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==2.2.6 pedalboard==0.9.26

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import numpy as np
from pedalboard import Compressor, Limiter


def count(name, effect, frames):
    noise = np.random.default_rng(2).uniform(-0.3, 0.3, (2, 100_001)).astype(np.float32)
    noise[:, 30_000] = np.nan
    left = effect(noise[:, :frames], 44100)[0]
    assert len(left) == frames and np.abs(left[:30_000]).max() < 0.95
    seen = int((left == 1.0).sum()), int(np.isnan(left).sum())
    print(f"{name}, {frames} frames: {seen[0]} frames of exactly 1.0, {seen[1]} frames of NaN")
    return seen


assert count("Limiter", Limiter(threshold_db=-6), 100_001) == (70_000, 1)
assert count("Compressor", Compressor(threshold_db=-6, ratio=4), 100_001) == (0, 70_001)
assert count("Limiter", Limiter(threshold_db=-6), 100_000) == (70_000, 0)
EOF
