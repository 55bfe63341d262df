#!/usr/bin/env bash
# One NaN in an estimate makes museval drop every window of that source, not only the one that holds it.
#
# Seen 2026-11-30: museval 0.4.1, numpy 1.26.4, scipy 1.13.1, Python 3.11.
# Guess: an error, or NaN for the one window that holds the sample.
# Seen: a NaN at 4.2 s of ten seconds; windows of one second:
#   v4: windows without a score, by source: [10, 0] of 10; median SDR without NaN: [nan, 5.9]
#   v3: windows without a score, by source: [1, 0] of 10; median SDR without NaN: [5.99, 5.9]
# BSS Eval v4 fits one distortion filter to the whole song, and the SDR is computed from its output; v3 fits
# one to each window.
# Why it matters: the aggregation leaves NaN out, so a song that a model spoilt vanishes from the mean, which then
# rises. An evaluation that wants to be compared with museval has to count such songs beside the mean.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==1.26.4 scipy==1.13.1 pandas==2.2.3 museval==0.4.1 musdb==0.4.2 stempeg==0.2.3

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import warnings

import museval
import numpy as np

warnings.simplefilter("ignore")
rate = 2000
random = np.random.default_rng(1)
references = random.standard_normal((2, 10 * rate, 1)) * 0.1
estimates = references + 0.05 * random.standard_normal(references.shape)
estimates[0, int(4.2 * rate), 0] = np.nan
spoilt = {}
for mode in ("v4", "v3"):
    sdr = museval.evaluate(references, estimates, win=rate, hop=rate, mode=mode)[0]
    spoilt[mode] = np.isnan(sdr).sum(axis=1).tolist()
    print(f"{mode}: windows without a score, by source: {spoilt[mode]} of {sdr.shape[1]}")
    print(f"{mode}: median SDR without NaN: {np.nanmedian(sdr, axis=1).round(2).tolist()}")
assert spoilt["v4"] == [10, 0], spoilt
EOF
