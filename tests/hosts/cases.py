"""What both Python hosts' tests share: how a case is told, and what goes in and must come out.

Each case prints a line before it starts (a crash then has a name) and one after, a tab between the
words; the Rust test that started this reads them.
"""

import gc
import os
import sys
import traceback

import numpy as np

BUNDLE = os.environ["BUNRI_TEST_VST3"]
STEM_GAINS = (0.1, 0.2, 0.3, 0.4)
"""By what the echo model's stems differ from its input."""
MODEL_RATE_HZ = 44100
RATES_HZ = (22050, 44100, 48000, 88200, 96000, 192000)
BLOCKS = (1, 63, 64, 512, 1000, 4096, 8192)
TOLERANCE = 1e-5
"""Rounding of floats added up in another order, times a few; a slip of one frame is 1e-1."""


def case(name, check):
    """Runs `check`, which returns what is worth saying, or None."""
    print(f"BEGIN\t{name}", flush=True)
    try:
        said = check()
        outcome = f"pass ({said})" if said else "pass"
    except Exception as error:
        traceback.print_exc()
        outcome = f"FAILED: {type(error).__name__}: {error}".replace("\n", " ").replace("\t", " ")
    gc.collect()
    print(f"END\t{name}\t{outcome}", flush=True)


def noise(frames, seed):
    """Stereo noise, the same for the same seed: [2][frames]."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (2, frames)).astype(np.float32)


def delayed(signal, frames):
    late = np.zeros_like(signal)
    late[:, frames:] = signal[:, : signal.shape[1] - frames]
    return late


def assert_near(got, expected, what, tolerance=TOLERANCE):
    assert got.shape == expected.shape, f"{what}: {got.shape}, expected {expected.shape}"
    error = np.abs(got - expected)
    error[np.isnan(error)] = np.inf
    if error.size and error.max() > tolerance:
        frame = int(error.max(axis=0).argmax())
        raise AssertionError(f"{what}: off by {error.max():.3g} at frame {frame}")


def residual_dbfs(got, expected):
    peak = float(np.abs(got.astype(np.float64) - expected).max())
    return 20 * np.log10(peak) if peak > 0 else -np.inf


def loaded_libraries(part):
    with open("/proc/self/maps") as maps:
        return {line.split()[-1] for line in maps if part in line.split()[-1]}


def assert_no_engine_loaded():
    for part in ("libtorch", "libbunri_engine"):
        loaded = loaded_libraries(part)
        assert not loaded, f"a scan loaded {loaded}"


def corrupted(state, seed):
    """The state with some bits flipped, or cut short, or both."""
    random = np.random.default_rng(seed)
    state = bytearray(state)
    if seed % 3 != 0:
        for _ in range(int(random.integers(1, 9))):
            state[int(random.integers(len(state)))] ^= 1 << int(random.integers(8))
    if seed % 3 != 1:
        del state[int(random.integers(len(state))) :]
    return bytes(state)


def strange_input(frames, seed):
    """Noise with everything in it that is no ordinary number, in its second sixth."""
    signal = noise(frames, seed)
    strange = (np.nan, np.inf, -np.inf, 1e-40, -1e-45, 3.4e38, -3.4e38)
    begin, end = frames // 6, frames // 3
    for index, value in enumerate(strange):
        signal[index % 2, begin + index : end : 97 * len(strange)] = value
    return signal


def main(groups):
    """Runs the group of cases that the command line names."""
    for name, check in groups[sys.argv[1]]:
        case(name, check)
