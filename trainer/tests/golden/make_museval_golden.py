"""Makes museval.json: SDR, ISR, SIR and SAR by PyPI museval 0.4.1 of signals that the test makes again by itself.

    pip install museval==0.4.1
    python make_museval_golden.py > museval.json

The signals come from a linear congruential generator and are scaled by powers of two, so Python and
Rust hold the very same numbers and no audio has to be stored. They contain what goes wrong easily:
a window in which one reference is silent, one in which one estimate is, one in which the channels
cancel (museval calls that silent), and a rest that does not fill a window.

Tolerance of the tests: 1e-6 dB. museval adds and subtracts projections that cancel out only up to
rounding in f64 (around 1e-12 dB here); its least-squares problems are well conditioned for noise.
"""

import importlib.util
import json
import pathlib

import numpy as np

# museval/metrics.py needs numpy and scipy only; importing the package also wants ffmpeg installed.
PACKAGE = pathlib.Path(importlib.util.find_spec("museval").origin).parent
SPEC = importlib.util.spec_from_file_location("museval_metrics", PACKAGE / "metrics.py")
metrics = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(metrics)

WINDOW = 2000
FRAMES = 9 * WINDOW + 700
SOURCES = 3


def noise(seed):
    """[frames, 2] samples k / 65536, -32768 <= k < 32768: the generator's upper 16 bits."""
    state = seed
    samples = np.empty(FRAMES * 2)
    for index in range(samples.size):
        state = (state * 1664525 + 1013904223) % 2**32
        samples[index] = ((state >> 16) - 32768) / 65536
    return samples.reshape(FRAMES, 2)


references = np.stack([noise(1 + source) for source in range(SOURCES)])
references[0, 2 * WINDOW : 3 * WINDOW] = 0
references[1, 4 * WINDOW : 5 * WINDOW, 1] = -references[1, 4 * WINDOW : 5 * WINDOW, 0]
estimates = np.stack(
    [
        references[0] * 0.5 + references[1] * 0.125,
        references[1] + noise(11) * 0.25,
        references[2] * 0.75 + references[0] * 0.0625 + noise(12) * 0.03125,
    ]
)
estimates[2, 6 * WINDOW : 7 * WINDOW] = 0

sdr, isr, sir, sar, _ = metrics.bss_eval(references, estimates, window=WINDOW, hop=WINDOW)


def rows(values):
    return [[None if np.isnan(value) else value for value in row] for row in values.tolist()]


print(
    json.dumps(
        {
            "window_frames": WINDOW,
            "frames": FRAMES,
            "sdr_db": rows(sdr),
            "isr_db": rows(isr),
            "sir_db": rows(sir),
            "sar_db": rows(sar),
            "median_db": np.nanmedian(sdr, axis=1).tolist(),
        },
        indent=1,
    )
)
