"""Makes the golden files in `demucs4`: small models of the v3 and v4 releases, and what the reference
package computes with them. `golden.rs` of each architecture in `shared/model/src` compares.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 einops julius tqdm
    venv/bin/pip install --no-deps demucs==4.1.0
    venv/bin/python shared/model/tests/golden/make_demucs4_golden.py

Weights are seeded noise, scaled layer by layer so that every path through the network is heard in
the output, as in `make_golden.py`, whose `input.safetensors` is the input here too. Scales of
residual branches, which begin near zero, are drawn anew, and so is what normalisations begin with.
"""

import json
from fractions import Fraction
from pathlib import Path

import torch
from demucs.apply import BagOfModels, apply_model
from demucs.demucs import Demucs, DConv
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from demucs.transformer import LayerScale
from golden_file import save

FOLDER = Path(__file__).parent / "demucs4"
CLASSES = {"demucs-v3": Demucs, "hdemucs": HDemucs, "htdemucs": HTDemucs}
RATE = 44_100
FOUR = ["drums", "bass", "other", "vocals"]

# Configs have the reference's default in every field that they do not name.
HT = dict(stems=FOUR, channels=4, nfft=512, depth=3, norm_starts=2, norm_groups=2, dconv_comp=2,
          t_layers=3, t_heads=4, segment_frames=2_000)
HYBRID = dict(stems=FOUR, channels=4, nfft=256, depth=4, norm_starts=2, norm_groups=2, dconv_attn=2,
              dconv_lstm=2, segment_frames=2_000)
V3 = dict(stems=FOUR, channels=4, depth=4, norm_starts=2, norm_groups=2, dconv_attn=2, dconv_lstm=2,
          segment_frames=2_000)
CASES = {
    # The published models, small.
    "htdemucs": dict(architecture="htdemucs", frames=2_000,
                     config=dict(HT, bottom_channels=8, dconv_mode=3)),
    "htdemucs-six": dict(
        architecture="htdemucs", frames=1_777,  # shorter than what it was trained on
        config=dict(HT, dconv_mode=3, stems=FOUR + ["guitar", "piano"])),
    "hdemucs": dict(architecture="hdemucs", frames=1_999, config=dict(HYBRID)),
    "demucs-v3": dict(architecture="demucs-v3", frames=1_999, config=dict(V3)),
    # Every other switch of the architectures.
    "htdemucs-options": dict(
        architecture="htdemucs", frames=1_501, batch=2,
        config=dict(HT, stems=["voice", "rest"], audio_channels=1, norm_starts=3, dconv_mode=2,
                    dconv_depth=-1, context=2, context_enc=1, multi_freqs=[0.3, 0.6],
                    multi_freqs_depth=2, t_layers=2, t_cross_first=True, t_norm_first=False,
                    t_norm_in=False, t_norm_in_group=True, t_group_norm=True, t_layer_scale=False,
                    t_gelu=False, t_emb="cape", t_max_period=100.0, use_train_segment=False)),
    "htdemucs-scaled": dict(
        architecture="htdemucs", frames=2_000, batch=2,
        config=dict(HT, stems=["voice"], freq_emb=0.5, emb_scale=2, rewrite=False, bottom_channels=12,
                    t_layers=2, t_emb="scaled", t_max_positions=50, t_norm_out=False, t_norm_in=False,
                    t_weight_pos_embed=0.5, t_hidden_scale=1.5, segment_frames=2_000)),
    "htdemucs-no-transformer": dict(
        architecture="htdemucs", frames=1_400,
        config=dict(HT, stems=["voice"], freq_emb=0, t_layers=0, growth=3, segment_frames=1_400)),
    "hdemucs-old": dict(
        architecture="hdemucs", frames=1_777,
        config=dict(HYBRID, stems=["voice", "rest"], hybrid_old=True, channels=2, channels_time=4, dconv_mode=3,
                    freq_emb=0, dconv_comp=2, dconv_attn=3)),
    "hdemucs-bands": dict(
        architecture="hdemucs", frames=1_280, batch=2,
        config=dict(HYBRID, stems=["voice"], multi_freqs=[0.25, 0.5], dconv_attn=9, dconv_mode=2,
                    rewrite=False)),
    # So long that the LSTM sees frames.
    "hdemucs-long": dict(
        architecture="hdemucs", frames=17_000,
        config=dict(HYBRID, stems=["voice"], audio_channels=1, dconv_attn=9)),
    "demucs-v3-options": dict(
        architecture="demucs-v3", frames=1_500,
        config=dict(V3, stems=["voice", "rest"], audio_channels=1, context=2, dconv_mode=3,
                    lstm_layers=1, gelu=False, glu=False, normalize=False, resample=False)),
    "demucs-v3-no-rewrite": dict(
        architecture="demucs-v3", frames=700, batch=2,
        config=dict(V3, stems=["voice"], depth=3, dconv_attn=9, rewrite=False, dconv_mode=2,
                    kernel_size=6, stride=3, growth=3)),
}
BAG_FRAMES = 1_024
BAG = [dict(architecture="htdemucs", config=dict(
            HT, stems=["voice", "rest"], depth=2, nfft=128, t_layers=1, segment_frames=BAG_FRAMES)),
       dict(architecture="hdemucs", config=dict(
           HYBRID, stems=["voice", "rest"], dconv_attn=9, dconv_lstm=9, segment_frames=BAG_FRAMES))]
BAG_WEIGHTS = {"bag": [[1.0, 0.25], [0.5, 0.0]], "bag-equal": None}

PUBLISHED = {
    "htdemucs, 4 stems": ("htdemucs", dict(stems=FOUR, bottom_channels=512, dconv_mode=3,
                                           segment_frames=343_980)),
    "htdemucs, 6 stems": ("htdemucs", dict(stems=FOUR + ["guitar", "piano"], dconv_mode=3,
                                           segment_frames=343_980)),
    "hdemucs": ("hdemucs", dict(stems=FOUR)),
    "demucs v3, 64 channels": ("demucs-v3", dict(stems=FOUR)),
}


def build(architecture, config):
    """The reference model of one of this project's configs."""
    arguments = dict(config)
    arguments["sources"] = arguments.pop("stems")
    if "segment_frames" in arguments:
        arguments["segment"] = Fraction(arguments.pop("segment_frames"), RATE)
    return CLASSES[architecture](**arguments).eval()


def draw_what_begins_constant(model):
    for module in model.modules():
        if isinstance(module, LayerScale):
            module.scale.uniform_(0.3, 1.0)
        elif isinstance(module, (torch.nn.GroupNorm, torch.nn.LayerNorm)):
            module.weight.uniform_(0.5, 1.5)
            module.bias.uniform_(-0.3, 0.3)
        elif isinstance(module, torch.nn.MultiheadAttention):
            # Attention far from uniform, and biases in it.
            module.in_proj_weight *= 3
            module.in_proj_bias.uniform_(-0.5, 0.5)
            module.out_proj.weight *= 3
            module.out_proj.bias.uniform_(-0.5, 0.5)
    for name, parameter in model.named_parameters():
        if name.endswith("query_decay.bias"):
            parameter.uniform_(-2, 0)


def scale_to_unit_power(model, mix):
    """Scales each layer's weights, from the first layer to the last, so that its output has a
    standard deviation of 1 (the last of each branch: 0.2, like music)."""
    kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d,
             torch.nn.Linear)
    transposed = kinds[2:4]
    outermost = set()
    for decoder in [model.decoder[-1], *list(getattr(model, "tdecoder", []))[-1:]]:
        outermost |= {module for module in decoder.modules() if isinstance(module, transposed)}

    def scale(layer, _, output):
        factor = (0.2 if layer in outermost else 1.0) / output.std()
        layer.weight *= factor
        layer.bias *= factor
        return output * factor

    hooks = [module.register_forward_hook(scale) for module in model.modules()
             if isinstance(module, kinds)]
    model(mix)
    for hook in hooks:
        hook.remove()


def seeded_model(architecture, config, seed, mix):
    torch.manual_seed(seed)
    model = build(architecture, config)
    draw_what_begins_constant(model)
    scale_to_unit_power(model, mix)
    return model.half().float()


def save_checkpoint(name, state, architecture, config):
    """In the format of `shared/model/src/checkpoint.rs`."""
    provenance = dict(data="seeded noise", notes=dict(script=Path(__file__).name))
    save(FOLDER / f"{name}.model.safetensors", {key: value.half() for key, value in state.items()}, {
        "bunri.format": "1",
        "bunri.architecture": architecture,
        "bunri.config": json.dumps(config),
        "bunri.provenance": json.dumps(provenance),
        "bunri.licence": "CC0-1.0",
    })


def read_input():
    """The input of `make_golden.py`, two channels of noise and tones with an offset."""
    raw = (FOLDER.parent / "input.safetensors").read_bytes()
    header = int.from_bytes(raw[:8], "little")
    shape = json.loads(raw[8:8 + header])["mix"]["shape"]
    return torch.frombuffer(bytearray(raw[8 + header:]), dtype=torch.float16).reshape(shape).float()


def save_output(name, output, **metadata):
    save(FOLDER / f"{name}.output.safetensors", {"output": output}, metadata)
    print(f"{name:24} {list(output.shape)} std {output.std():.3f}")


def print_quietest(model, inputs, output):
    """The parameter whose shuffling changes the output least: a part that is quiet could be wrong
    below the tolerance. Some have no effect at all, e.g. the bias of an attention's keys."""
    changes = {}
    for name, parameter in model.named_parameters():
        kept = parameter.clone()
        parameter.copy_(kept.flatten().flip(0).reshape(kept.shape) + 0.1 * kept.abs().mean())
        changes[name] = (model(inputs) - output).abs().max().item()
        parameter.copy_(kept)
    heard = {name: change for name, change in changes.items() if change > 1e-6}
    name = min(heard, key=heard.get)
    print(f"    quietest: {name} {heard[name]:.1e}; without effect:",
          ", ".join(sorted(changes.keys() - heard.keys())) or "none")


def layer_outputs(models):
    """Single layers of the small published models on short inputs of their own."""
    torch.manual_seed(2)
    tensors = {}

    def noise(*shape):
        return torch.randn(shape).half().float()

    def record(name, output, *inputs):
        for index, tensor in enumerate(inputs):
            tensors[f"{name}.input{index}"] = tensor.half()
        tensors[f"{name}.output"] = output

    hybrid, transformer = models["hdemucs"], models["htdemucs"]
    deep = hybrid.encoder[3]
    assert deep.dconv.layers[0][3].max_steps == 200
    short, long = noise(2, deep.dconv.channels, 30), noise(1, deep.dconv.channels, 430)
    record("dconv.short", deep.dconv(short), short)
    record("dconv.long", deep.dconv(long), long)

    spectral, time = noise(2, 4, 256, 6), noise(2, 2, 501)
    record("encoder.spectral", transformer.encoder[0](spectral), spectral)
    record("encoder.time", transformer.tencoder[0](time), time)
    spectral, skip = noise(2, 8, 16, 3), noise(2, 8, 16, 3)
    record("decoder.spectral", transformer.decoder[1](spectral, skip, None)[0], spectral, skip)
    time, skip = noise(2, 8, 20), noise(2, 8, 20)
    record("decoder.time", transformer.tdecoder[1](time, skip, 78)[0], time, skip)

    x, xt = noise(2, 9, 8), noise(2, 12, 8)
    layers = transformer.crosstransformer.layers
    record("transformer.self", layers[0](x), x)
    record("transformer.cross", layers[1](x, xt), x, xt)
    x, xt = noise(2, 16, 4, 5), noise(2, 16, 11)
    up, up_t = transformer.channel_upsampler, transformer.channel_upsampler_t
    down, down_t = transformer.channel_downsampler, transformer.channel_downsampler_t
    y, yt = transformer.crosstransformer(up(x.flatten(2)).view(2, 8, 4, 5), up_t(xt))
    record("transformer.spectral", down(y.flatten(2)).view(2, 16, 4, 5), x, xt)
    tensors["transformer.time.output"] = down_t(yt)

    for name, model in [("new", models["hdemucs"]), ("old", models["hdemucs-old"])]:
        # Of any length, also too short to be reflected.
        for frames in [600, 64, 50]:
            audio = noise(1, 2, frames)
            spectrum = model._spec(audio)
            record(f"spectrum.{name}.{frames}", model._magnitude(spectrum), audio)
            changed = torch.complex(noise(*spectrum.shape), noise(*spectrum.shape))
            inverse = model._ispec(changed, frames)
            record(f"inverse.{name}.{frames}", inverse, model._magnitude(changed))
    return tensors


def numbers():
    """Numbers that need no weights, so the published sizes can be asked for as well."""
    counts = {}
    for name, (architecture, config) in PUBLISHED.items():
        with torch.device("meta"):
            model = build(architecture, config)
        count = sum(parameter.numel() for parameter in model.parameters())
        counts[name] = dict(config=dict(config, architecture=architecture), parameters=count)
    around = [1, 2, 7, 8, 9, 100, 997, 4_096, 17_747, 44_100, 343_980, 441_000, 1_764_000]
    lengths = {}
    for name, changes in [("default", {}), ("no resampling", dict(resample=False)),
                          ("kernel 6", dict(kernel_size=6, stride=3, depth=3))]:
        config = dict(V3, **changes)
        model = build("demucs-v3", config)
        lengths[name] = dict(config=config, rows=[[n, model.valid_length(n)] for n in around])
    return dict(parameter_counts=counts, lengths=lengths)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    mix = read_input()
    models = {}
    for seed, (name, case) in enumerate(CASES.items(), start=100):
        architecture, config = case["architecture"], case["config"]
        channels, frames, batch = config.get("audio_channels", 2), case["frames"], case.get("batch", 1)
        # Items of a batch are consecutive stretches of the input, at different levels.
        inputs = torch.stack([mix[:channels, i * frames:(i + 1) * frames] / (1 + i)
                              for i in range(batch)])
        model = models[name] = seeded_model(architecture, config, seed, inputs)
        save_checkpoint(name, model.state_dict(), architecture, config)
        output = model(inputs)
        save_output(name, output, frames=str(frames), batch=str(batch))
        print_quietest(model, inputs, output)

    inputs = mix[None, :, :BAG_FRAMES]
    parts = [seeded_model(part["architecture"], part["config"], 200 + index, inputs)
             for index, part in enumerate(BAG)]
    config = [dict(part["config"], architecture=part["architecture"]) for part in BAG]
    for name, weights in BAG_WEIGHTS.items():
        bag = BagOfModels(parts, weights)
        output = apply_model(bag, inputs, shifts=0, split=False)
        save_output(name, output, frames=str(BAG_FRAMES), batch="1", weights=json.dumps(weights))
    save_checkpoint("bag", bag.state_dict(), "bag",
                    dict(models=config, weights=BAG_WEIGHTS["bag"]))

    save(FOLDER / "layers.safetensors", layer_outputs(models), {})
    text = json.dumps(numbers(), separators=(",", ":"))
    (FOLDER / "numbers.json").write_text(text.replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main()
