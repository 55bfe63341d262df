#!/usr/bin/env bash
# A silent stem is a linear-algebra error for fast_bss_eval, and an option meant for accuracy decides it.
#
# Seen 2026-11-30: fast_bss_eval 0.1.4, mir_eval 0.8.2, numpy 1.26.4, scipy 1.13.1, Python 3.11, no PyTorch.
# Guess: a silent reference scores NaN or minus infinity, source by source; a perfect estimate scores alike in both.
# Seen, two sources, SDR in dB:
#   reference 1 silent: LinAlgError: Singular matrix; with load_diag=1e-6 or use_cg_iter=10: [20.05, -inf]
#   estimate 1 silent: sdr [20.05, -inf], but bss_eval_sources ValueError: matrix contains invalid numeric entries
#   perfect estimates: fast_bss_eval [inf, inf], mir_eval [307.58, 307.49]
#   si_sdr on numpy arrays without PyTorch: AttributeError, although sdr takes them
# Why it matters: songs without a singer are in every data set. One such song ends an evaluation, or scores minus
# infinity (and so does the mean), by a solver's option; compared figures have to name it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==1.26.4 scipy==1.13.1 fast_bss_eval==0.1.4 mir_eval==0.8.2

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import warnings

import fast_bss_eval
import mir_eval
import numpy as np

warnings.simplefilter("ignore")
random = np.random.default_rng(1)
references = random.standard_normal((2, 16_000))
estimates = references + 0.1 * random.standard_normal(references.shape)
silent = np.array([[1.0], [0.0]])


def score(name, metric, *signals, **options):
    try:
        seen = np.round(metric(*signals, **options), 2).tolist()
    except Exception as error:
        seen = type(error).__name__
    print(f"{name}: {seen}")
    return seen


def sources(metric):
    return lambda *signals: metric(*signals)[0]


sdr = fast_bss_eval.sdr
assert score("reference 1 silent", sdr, references * silent, estimates) == "LinAlgError"
assert score("- load_diag", sdr, references * silent, estimates, load_diag=1e-6)[1] == -np.inf
assert score("- use_cg_iter", sdr, references * silent, estimates, use_cg_iter=10)[1] == -np.inf
assert score("estimate 1 silent", sdr, references, estimates * silent)[1] == -np.inf
eval_sources = sources(fast_bss_eval.bss_eval_sources)
assert score("- bss_eval_sources", eval_sources, references, estimates * silent) == "ValueError"
assert score("perfect", sdr, references, references) == [np.inf, np.inf]
peer = score("- mir_eval", sources(mir_eval.separation.bss_eval_sources), references, references)
assert all(200 < value < 400 for value in peer), peer
assert score("si_sdr without PyTorch", fast_bss_eval.si_sdr, references, estimates) == "AttributeError"
EOF
