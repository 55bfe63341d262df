"""Exports a separator as TorchScript for Bunri: a module (.pt) and its description (.toml).

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 torchaudio==2.11.0 openunmix==1.3.0
    venv/bin/python shared/model/examples/export_open_unmix.py open-unmix.toml --weights FOLDER

`--weights` is a folder of Open-Unmix checkpoints (`drums.pth`, `bass.pth`, ..) as published;
without it the weights are random, which shows the way but separates nothing. The same three steps
export any separator: wrap it so that it maps [batch, channels, frames] to [batch, stems, channels,
frames], script (or trace) it, and say in the description what the module cannot say itself.
"""

import argparse
from pathlib import Path

import torch
from openunmix.model import OpenUnmix, Separator

STEMS = ["drums", "bass", "other", "vocals"]


def open_unmix(stems, n_fft=4096, n_hop=1024, hidden_size=512, max_bin=1487, weights=None):
    """Open-Unmix for several stems, without Wiener filtering, which looks at whole songs."""
    targets = {}
    for stem in stems:
        targets[stem] = OpenUnmix(nb_bins=n_fft // 2 + 1, nb_channels=2, hidden_size=hidden_size,
                                  max_bin=max_bin)
        if weights:
            state = torch.load(weights / f"{stem}.pth", map_location="cpu", weights_only=True)
            targets[stem].load_state_dict(state, strict=False)
    separator = Separator(target_models=targets, niter=0, sample_rate=44_100.0, n_fft=n_fft,
                          n_hop=n_hop, nb_channels=2)
    separator.freeze()
    return separator.eval()


def export(separator, description, stems, chunk_frames, lookahead_frames, data, licence):
    """Writes the description and, beside it, the module."""
    module = description.with_suffix(".pt")
    torch.jit.script(separator).save(str(module))
    names = ", ".join(f'"{stem}"' for stem in stems)
    description.write_text(f'''format = "bunri-torchscript-1"
module = "{module.name}"
rate_hz = 44100
channels = 2
stems = [{names}]
chunk_frames = {chunk_frames}
lookahead_frames = {lookahead_frames}
data = "{data}"
licence = "{licence}"
''')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("description", type=Path, help="the .toml file to write")
    parser.add_argument("--weights", type=Path, help="folder of .pth files, one for each stem")
    arguments = parser.parse_args()
    separator = open_unmix(STEMS, weights=arguments.weights)
    data = "MUSDB18-HQ, see the weights' own card" if arguments.weights else "nothing: random weights"
    export(separator, arguments.description, STEMS, chunk_frames=262_144, lookahead_frames=4096,
           data=data, licence="MIT")


if __name__ == "__main__":
    main()
