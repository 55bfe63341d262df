"""Makes the golden files of `src/torch_script/golden.rs`: a small Open-Unmix with random weights, exported
by the example, and what the Python package itself makes of a chunk.

    venv/bin/pip install torch==2.11.0 torchaudio==2.11.0 openunmix==1.3.0 safetensors
    venv/bin/python shared/model/tests/golden/make_open_unmix.py
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1] / "examples"))

from export_open_unmix import export, open_unmix  # noqa: E402

CHUNK_FRAMES = 4096
STEMS = ["drums", "vocals"]


def main():
    torch.manual_seed(5)
    separator = open_unmix(STEMS, n_fft=256, n_hop=64, hidden_size=8, max_bin=100)
    mix = (0.1 * torch.randn(2, 2, CHUNK_FRAMES)).half()  # [batch, channels, frames]
    with torch.no_grad():
        output = separator(mix.float())
    export(separator, FOLDER / "open-unmix.toml", STEMS, CHUNK_FRAMES, lookahead_frames=256,
           data="nothing: random weights", licence="MIT")
    save_file({"mix": mix, "output": output}, str(FOLDER / "open-unmix.output.safetensors"))


if __name__ == "__main__":
    main()
