#!/usr/bin/env bash
# One NaN turns off a loudness meter for the rest of the file: three of them give the loudness of what came before it.
#
# Seen 2026-11-30: pyloudnorm 0.2.0 (scipy 1.15.3), pyebur128 0.1.1 (libebur128) and the filter `ebur128` of FFmpeg 7.0.2
# (imageio-ffmpeg 0.6.0); numpy 2.2.6, Python 3.11.
# Guess: NaN as the result; or, at best, only the blocks that hold the NaN are left out, and the loud part is measured.
# Seen: five seconds of quiet noise, five seconds 40 dB louder; one NaN a second before the loud part begins:
#   clean: pyloudnorm -14.0, libebur128 -14.0, FFmpeg -14.0 LUFS
#   NaN at 4 s: pyloudnorm -53.9, libebur128 -53.8, FFmpeg -53.8 LUFS
#   NaN at the first frame: pyloudnorm -inf, libebur128 -inf, FFmpeg -70.0 LUFS
# The recursive K-weighting stays NaN, and the gate's comparison is false for NaN, so that every later block is gated.
# Why it matters: a plausible figure, 40 dB wrong, agreed on by three meters. Stems levelled by it are raised by 40 dB.
# Whether a file is finite has to be asked of its samples before any meter is.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==2.2.6 scipy==1.15.3 pyloudnorm==0.2.0 pyebur128==0.1.1 imageio-ffmpeg==0.6.0

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import re
import subprocess
import warnings

import imageio_ffmpeg
import numpy as np
import pyebur128
import pyloudnorm

warnings.simplefilter("ignore")
rate = 48000
random = np.random.default_rng(0)
clean = np.concatenate([level * random.standard_normal((5 * rate, 2)) for level in (0.001, 0.1)])


def ffmpeg(signal):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostats", "-hide_banner", "-f", "f32le", "-ar", str(rate)]
    command += ["-ac", "2", "-i", "-", "-af", "ebur128", "-f", "null", "-"]
    report = subprocess.run(command, input=signal.tobytes(), capture_output=True, check=True).stderr.decode()
    return float(re.search(r"Summary.*?I:\s*(\S+) LUFS", report, re.S).group(1))


def libebur128(signal):
    meter = pyebur128.R128State(2, rate, pyebur128.MeasurementMode.MODE_I)
    meter.add_frames(signal.ravel(), len(signal))
    return pyebur128.get_loudness_global(meter)


def measure(name, spoilt_frame):
    signal = clean.astype(np.float32)
    if spoilt_frame is not None:
        signal[spoilt_frame] = np.nan
    figures = [pyloudnorm.Meter(rate).integrated_loudness(signal), libebur128(signal), ffmpeg(signal)]
    print("%s: pyloudnorm %.1f, libebur128 %.1f, FFmpeg %.1f LUFS" % (name, *figures))
    return figures


assert all(-15 < figure < -13 for figure in measure("clean", None))
assert all(-55 < figure < -53 for figure in measure("NaN at 4 s", 4 * rate)), "a meter notices the NaN now"
assert all(figure <= -70 for figure in measure("NaN at the first frame", 0)), "a meter notices the NaN now"
EOF
