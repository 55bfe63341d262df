#!/usr/bin/env bash
# museval takes a source whose channels are opposite for silence, and then scores no source at all.
#
# Seen 2026-11-30: museval 0.4.1, numpy 1.26.4, scipy 1.13.1, Python 3.11.
# Guess, from its message ("... is all 0s"): silent is a source whose samples are all zero; one that plays L = -R,
# as wide synthesisers and stems from a middle/side decoder do, is as loud as any.
# Seen: the test adds the channels before it looks for sound:
#   opposite channels in the second window only: [[6.1, 6.0, nan, 5.8, 6.1], [6.0, 6.0, nan, 6.0, 6.1]] dB of SDR
#   nearly opposite (R = -0.999 L) all the time: every window scored
#   opposite channels all the time: ValueError: All the reference sources should be non-silent (not all-zeros), ...
# Why it matters: both sources lose that window, although each is heard, and such a stem costs a whole song its score.
# A figure that is to be compared with museval has to copy this test; any other should look at each channel.
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
references = random.standard_normal((2, 3 * rate, 2)) * 0.1
estimates = references + 0.05 * random.standard_normal(references.shape)


def sdr(opposite, right=-1.0):
    mixed = references.copy()
    mixed[0, opposite, 1] = right * mixed[0, opposite, 0]
    return museval.evaluate(mixed, estimates, win=rate, hop=rate)[0]


part = sdr(slice(rate, 2 * rate))
print("opposite channels in the second window only:", part.round(1).tolist())
nearly = sdr(slice(None), -0.999)
print("nearly opposite all the time:", nearly.round(1).tolist())
try:
    sdr(slice(None))
    refused = False
except ValueError as error:
    refused = "non-silent" in str(error)
    print("opposite channels all the time: ValueError:", str(error)[:72])
assert np.isnan(part[:, 1]).all() and np.isfinite(np.delete(part, 1, axis=1)).all(), "the window is scored"
assert np.isfinite(nearly).all() and refused, "opposite channels are no longer taken for silence"
EOF
