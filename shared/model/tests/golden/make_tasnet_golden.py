"""Makes the `tasnet-*.safetensors` files beside this script: small Conv-TasNet models, and what the
reference package computes with them. `shared/model/src/conv_tasnet/golden.rs` compares.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 demucs==2.0.3
    venv/bin/python shared/model/tests/golden/make_tasnet_golden.py

Weights are seeded noise with gains around 1, so that every block is heard in the output, rounded to
half precision first and stored so, exactly; outputs are stored in full.
"""

import json
from pathlib import Path

import torch
from demucs.tasnet import ConvTasNet

from golden_file import save

FOLDER = Path(__file__).parent
SMALL = dict(stems=["voice", "rest"], filters=12, filter_frames=8, bottleneck_channels=6,
             hidden_channels=10, blocks=3, repeats=2)
CASES = {
    "global": dict(frames=1_204, config=SMALL),
    "causal": dict(frames=1_001, config=dict(SMALL, norm="cLN", causal=True, kernel_size=4)),
    "softmax": dict(frames=1_003, config=dict(SMALL, norm="cLN", mask="softmax", filter_frames=9,
                                             kernel_size=5)),
    "batch": dict(frames=640, batch=3, config=dict(SMALL, stems=["a", "b", "c"])),
    "mono-none": dict(frames=777, config=dict(SMALL, audio_channels=1, norm="id", filter_frames=20)),
}
NAMES = dict(stems="sources", filters="N", filter_frames="L", bottleneck_channels="B",
             hidden_channels="H", kernel_size="P", blocks="X", repeats="R", norm="norm_type",
             mask="mask_nonlinear")


def build(config):
    return ConvTasNet(**{NAMES.get(name, name): value for name, value in config.items()}).eval()


def seeded_model(config, mix):
    model = build(config)
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            parameter.copy_(1 + 0.3 * torch.randn(parameter.shape))
        elif name.endswith("beta"):
            parameter.copy_(0.3 * torch.randn(parameter.shape))
        elif parameter.numel() == 1:
            parameter.copy_(0.1 + 0.4 * torch.rand(1))
    # Like music: a standard deviation of 0.2.
    model.decoder.basis_signals.weight *= 0.2 / model(mix).std()
    return model.half().float()


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    with torch.device("meta"):
        published = ConvTasNet(["drums", "bass", "other", "vocals"], X=10)
    published = sum(parameter.numel() for parameter in published.parameters())
    for seed, (name, case) in enumerate(CASES.items(), start=40):
        torch.manual_seed(seed)
        config = case["config"]
        shape = (case.get("batch", 1), config.get("audio_channels", 2), case["frames"])
        # Items at different levels: one must not be normalised by another.
        mix = (0.4 * torch.randn(shape) * (1 + torch.arange(shape[0]))[:, None, None]).half()
        model = seeded_model(config, mix.float())
        output = model(mix.float())
        weights = {f"weight.{key}": value.half() for key, value in model.state_dict().items()}
        save(FOLDER / f"tasnet-{name}.safetensors", {"mix": mix, "output": output, **weights},
             dict(config=json.dumps(config), order=" ".join(model.state_dict()),
                  published_parameters=str(published)))
        print(f"{name:12} {list(shape)} -> {list(output.shape)} std {output.std():.3f}")


if __name__ == "__main__":
    main()
