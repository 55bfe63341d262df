"""Makes the golden files beside this script: small Demucs models, and what the reference package
computes with them. `shared/model/src/demucs/golden.rs` compares.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 demucs==2.0.3
    venv/bin/python shared/model/tests/golden/make_golden.py

Weights are seeded noise, scaled layer by layer so that every path through the network is heard in
the output: a wrong skip or a swapped LSTM direction cannot hide below the tolerance. Weights and
inputs are rounded to half precision first and stored so, exactly; outputs are stored in full.
"""

import json
from pathlib import Path

import julius
import torch
from demucs.model import Demucs
from golden_file import save

FOLDER = Path(__file__).parent
INPUT_FRAMES = 18_100

# Config fields as in DemucsConfig, where they differ from its v2.
DEEP = dict(channels=2)
CASES = {
    # Both published versions, at the shortest length without left-over frames, and beside it.
    "v1": dict(weights="deep", frames=17_748, config=dict(DEEP, resample=False)),
    "v1-left-over": dict(weights="deep", frames=18_003, config=dict(DEEP, resample=False)),
    "v2": dict(weights="deep", frames=8_874, config=dict(DEEP)),
    "v2-normalize": dict(weights="deep", frames=8_875, config=dict(DEEP, normalize=True)),
    # Every other switch of the architecture.
    "mono-context-1": dict(
        weights="mono-context-1", frames=1_003,
        config=dict(stems=["a", "b", "c"], audio_channels=1, channels=3, depth=3, growth=1.5,
                    context=1, resample=False)),
    "relu-kernel-5": dict(
        weights="relu-kernel-5", frames=777,
        config=dict(stems=["voice", "rest"], channels=5, depth=2, glu=False, kernel_size=5, stride=2,
                    context=5, lstm_layers=1)),
    "no-rewrite-no-lstm": dict(
        weights="no-rewrite-no-lstm", frames=500,
        config=dict(stems=["voice"], channels=7, depth=3, rewrite=False, kernel_size=6, stride=3,
                    lstm_layers=0, resample=False)),
    "batch-normalize": dict(
        weights="batch-normalize", frames=641, batch=2,
        config=dict(stems=["voice", "rest"], channels=4, depth=2, kernel_size=8, stride=4,
                    normalize=True)),
}

V2 = dict(stems=["drums", "bass", "other", "vocals"], audio_channels=2, channels=64, depth=6,
          rewrite=True, glu=True, rescale=0.1, resample=True, kernel_size=8, stride=4, growth=2.0,
          lstm_layers=2, context=3, normalize=False, sample_rate=44_100, segment_frames=441_000)


def full_config(changes):
    assert changes.keys() <= V2.keys()
    return {**V2, **changes}


def build(config):
    """The reference model of one of this project's configs."""
    names = dict(stems="sources", sample_rate="samplerate", segment_frames="segment_length")
    return Demucs(**{names.get(name, name): value for name, value in config.items()}).eval()


def scale_to_unit_power(model, mix):
    """Scales each layer's weights, from the first layer to the last, so that its output has a
    standard deviation of 1 (the last: 0.2, like music)."""
    layers = [module for module in model.modules()
              if isinstance(module, (torch.nn.Conv1d, torch.nn.ConvTranspose1d, torch.nn.Linear))]
    outermost = model.decoder[-1][-1]

    def scale(layer, _, output):
        factor = (0.2 if layer is outermost else 1.0) / output.std()
        layer.weight *= factor
        layer.bias *= factor
        return output * factor

    hooks = [layer.register_forward_hook(scale) for layer in layers]
    model(mix)
    for hook in hooks:
        hook.remove()


def seeded_model(config, seed, mix):
    torch.manual_seed(seed)
    model = build(config)
    scale_to_unit_power(model, mix)
    return model.half().float()


def save_checkpoint(path, model, config):
    """In the format of `shared/model/src/checkpoint.rs`."""
    provenance = dict(data="seeded noise", notes=dict(script=Path(__file__).name))
    save(path, {name: tensor.half() for name, tensor in model.state_dict().items()}, {
        "bunri.format": "1",
        "bunri.architecture": "demucs",
        "bunri.config": json.dumps(config),
        "bunri.provenance": json.dumps(provenance),
        "bunri.licence": "CC0-1.0",
    })


def make_input():
    """Two channels of noise and tones with an offset, in half precision: no symmetry to hide
    behind. The normalising models must meet a mean that is not zero."""
    torch.manual_seed(1)
    time = torch.arange(INPUT_FRAMES) / 44_100
    tones = torch.stack([torch.sin(2 * torch.pi * 220 * time), torch.sin(2 * torch.pi * 3_000 * time)])
    mix = 0.3 * torch.randn(2, INPUT_FRAMES) + 0.4 * tones + torch.tensor([[0.05], [0.1]])
    return mix.half()


def layer_outputs(model):
    """Single layers of the deep model on short inputs of their own, and the resampler."""
    torch.manual_seed(2)
    width = model.lstm.linear.out_features
    hidden = torch.randn(2, width, 13)  # as deep as the network is
    shallow = torch.randn(2, model.channels, 60)  # as shallow
    audio = torch.randn(2, 2, 301)
    return {
        "encoder.first.input": audio, "encoder.first.output": model.encoder[0](audio),
        "lstm.input": hidden, "lstm.output": model.lstm(hidden),
        "decoder.first.input": hidden, "decoder.first.output": model.decoder[0](hidden),
        "decoder.last.input": shallow, "decoder.last.output": model.decoder[-1](shallow),
        "resample.input": audio,
        "resample.up": julius.resample_frac(audio, 1, 2),
        "resample.down": julius.resample_frac(audio, 2, 1),
    }


def lengths_and_counts():
    """Numbers that need no weights, so the published sizes can be asked for as well."""
    around = [1, 2, 7, 8, 9, 100, 997, 4_096, 17_747, 17_748, 17_749, 44_100, 48_000, 88_199, 131_072,
              343_980, 441_000, 1_764_000]
    lengths, counts = {}, {}
    configs = {name: full_config(case["config"]) for name, case in CASES.items()}
    for name, config in configs.items():
        with torch.device("meta"):
            model = build(config)
        model.lstm = None  # It keeps lengths as they are, and takes minutes without real tensors.
        rows = []
        for frames in around:
            valid = model.valid_length(frames)
            mix = torch.zeros(1, config["audio_channels"], valid, device="meta")
            rows.append([frames, valid, model(mix).shape[-1]])
        lengths[name] = dict(config=config, rows=rows)
    published = {"v1, 100 channels": dict(channels=100, resample=False),
                 "v1, 64 channels": dict(channels=64, resample=False),
                 "v2, 64 channels": dict(channels=64), "v2, 48 channels": dict(channels=48)}
    for name, config in {**configs, **{k: full_config(v) for k, v in published.items()}}.items():
        with torch.device("meta"):
            count = sum(parameter.numel() for parameter in build(config).parameters())
        counts[name] = dict(config=config, parameters=count)
    return dict(lengths=lengths, parameter_counts=counts)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    mix = make_input()
    save(FOLDER / "input.safetensors", {"mix": mix}, {})
    mix = mix.float()
    models = {}
    for seed, (name, case) in enumerate(CASES.items(), start=10):
        config = full_config(case["config"])
        channels, frames, batch = config["audio_channels"], case["frames"], case.get("batch", 1)
        # Items of a batch are consecutive stretches of the input, at different levels.
        inputs = torch.stack([mix[:channels, i * frames:(i + 1) * frames] / (1 + i)
                              for i in range(batch)])
        if case["weights"] not in models:
            model = seeded_model(config, seed, inputs)
            save_checkpoint(FOLDER / f"{case['weights']}.model.safetensors", model, config)
            models[case["weights"]] = model.state_dict()
        model = build(config)
        model.load_state_dict(models[case["weights"]])
        output = model(inputs)
        metadata = dict(weights=f"{case['weights']}.model.safetensors", config=json.dumps(config),
                        frames=str(frames), batch=str(batch))
        save(FOLDER / f"{name}.output.safetensors", {"output": output}, metadata)
        print(f"{name:20} {list(inputs.shape)} -> {list(output.shape)} std {output.std():.3f}",
              "lstm's share", lstm_share(model, inputs, output))
    deep = build(full_config(CASES["v1"]["config"]))
    deep.load_state_dict(models["deep"])
    save(FOLDER / "layers.safetensors", layer_outputs(deep), dict(weights="deep.model.safetensors"))
    numbers = json.dumps(lengths_and_counts(), indent=None, separators=(",", ":"))
    (FOLDER / "numbers.json").write_text(numbers.replace('},"', '},\n"') + "\n")


def lstm_share(model, inputs, output):
    """How much of the output is gone without the deepest part of the network."""
    if not model.lstm:
        return "none"
    kept = model.lstm.linear.weight.clone()
    model.lstm.linear.weight.zero_()
    share = (model(inputs) - output).std() / output.std()
    model.lstm.linear.weight.copy_(kept)
    return f"{share:.3f}"


if __name__ == "__main__":
    main()
