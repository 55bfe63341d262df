#!/usr/bin/env bash
# A streaming sinc conversion by samplerate, fed in blocks and given the end of the input, loses its last milliseconds.
#
# Seen 2026-11-30: samplerate 0.2.4 (PyPI, with libsamplerate inside), numpy 2.2.6, Python 3.11.
# Guess: as many frames as the one-shot call; `end_of_input=True` on the last block brings out what the filter still holds.
# Seen: the frames agree to the bit, but the stream ends half a filter early (44.1 to 48 kHz, 100,001 frames):
#   sinc_best: one-shot 108844, stream 108689, missing 155; an empty block afterwards brings 0 more
#   sinc_fastest: one-shot 108844, stream 108824, missing 20
#   linear: one-shot 108845, stream 108845, missing 0
# The answer's buffer holds block x ratio frames, so the rest of the filter has no room, and the flag is spent.
# Why it matters: stems converted back to the host's rate like this are 3 ms shorter than their mixture, without an
# error. A converter's tail has to be pushed out by silence, as long as its filter, and the length cut by count.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==2.2.6 samplerate==0.2.4

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import numpy as np
import samplerate

ratio = 160 / 147
signal = np.random.default_rng(1).standard_normal(100_001).astype(np.float32) * 0.1
missing = {}
for converter in ("sinc_best", "sinc_fastest", "linear"):
    whole = samplerate.resample(signal, ratio, converter)
    stream = samplerate.Resampler(converter, channels=1)
    blocks = [
        stream.process(signal[at : at + 1000], ratio, end_of_input=at + 1000 >= len(signal))
        for at in range(0, len(signal), 1000)
    ]
    streamed = np.concatenate(blocks)
    more = stream.process(np.zeros(0, np.float32), ratio, end_of_input=True)
    assert np.array_equal(whole[: len(streamed)], streamed), "the frames differ"
    missing[converter] = len(whole) - len(streamed)
    print(f"{converter}: one-shot {len(whole)}, stream {len(streamed)}, "
          f"missing {missing[converter]}; an empty block afterwards brings {len(more)} more")
    assert len(more) == 0, "an empty block brings the rest now"
assert missing == {"sinc_best": 155, "sinc_fastest": 20, "linear": 0}, missing
EOF
