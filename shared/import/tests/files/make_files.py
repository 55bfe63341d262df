"""Makes the files beside this script: models with random weights as the reference packages save
them, and what those models compute. `shared/import/tests` and `shared/model/src/import` compare.

    python3 -m venv v2 && v2/bin/pip install torch==2.11.0 demucs==2.0.3 diffq==0.2.4
    v2/bin/python shared/import/tests/files/make_files.py v2
    python3 -m venv v4 && v4/bin/pip install torch==2.11.0 demucs==4.1.0 diffq==0.2.4
    v4/bin/python shared/import/tests/files/make_files.py v4

Two packages of one name, so two environments. Every `NAME.th` or `NAME.safetensors` has its
`NAME.golden.safetensors`: an input and the output of the model that the package itself loads from
the file, and of v2 the model's tensors (`weight.` and the name).
"""

import argparse
import io
import json
import struct
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import torch

FOLDER = Path(__file__).parent
KINDS = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64", torch.int16: "I16",
         torch.uint8: "U8"}


def save(path, tensors, metadata):
    """A safetensors file, by hand: a dependency less."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        header[name] = dict(dtype=KINDS[tensor.dtype], shape=list(tensor.shape),
                            data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def save_golden(name, model, frames, with_weights=True):
    """What the package's own loaded model holds and computes."""
    torch.manual_seed(5)
    mix = 0.3 * torch.randn(1, model.audio_channels, frames)
    model.eval()
    output = model(mix)
    weights = {f"weight.{key}": value for key, value in model.state_dict().items()
               if with_weights}
    save(FOLDER / f"{name}.golden.safetensors", {"mix": mix, "output": output, **weights}, {})
    print(f"{name:16} {list(output.shape)} std {output.std():.3f}")


def training_args(**more):
    """Of the kinds that the packages' command lines hold."""
    return argparse.Namespace(raw=Path("/data/raw"), rank=0, lr=3e-4, seed=None, wrong=[1, 2.5],
                              big=2**40, huge=2**80, segment=Fraction(39, 5), token=b"\x00\xff",
                              **more)


def louder(model):
    """Random weights of a size that lets the whole model be heard in its output."""
    for parameter in model.parameters():
        parameter *= 1.6
    return model


def v2():
    from demucs.model import Demucs
    from demucs.tasnet import ConvTasNet
    from demucs.utils import load_model, save_model
    from diffq import DiffQuantizer, UniformQuantizer
    load = torch.load
    # The files are our own; the package was written before torch asked.
    torch.load = lambda *args, **kwargs: load(*args, **{**kwargs, "weights_only": False})

    def demucs(**more):
        return louder(Demucs(["drums", "voice"], channels=8, depth=2, lstm_layers=1,
                             segment_length=4_410, **more))

    def through_file(name, model, quantizer, **args):
        path = FOLDER / f"{name}.th"
        save_model(model, quantizer, training_args(**args), path)
        if quantizer:
            quantizer.detach()
        # A fresh model: the quantizer that the package leaves on its own would quantize once more.
        loaded = load_model(path).state_dict()
        restored = type(model)(*model._init_args_kwargs[0], **model._init_args_kwargs[1])
        restored.load_state_dict({key: value for key, value in loaded.items()
                                  if not key.endswith("_diffq")})
        save_golden(name, restored, 500)

    torch.manual_seed(1)
    none = dict(diffq=0, qat=0, q_min_size=0.2)
    through_file("v2", demucs(), None, **none)
    through_file("v2-v1", demucs(resample=False, samplerate=22_050), None, **none)
    model = demucs()
    quantizer = DiffQuantizer(model, min_size=0.002, group_size=8)
    for module in model.modules():
        # As if trained: every group has a number of bits of its own.
        for name, logit in module.named_parameters(recurse=False):
            if name.endswith("_diffq"):
                # (Not 15, whose levels diffq forgets to write.)
                logit.copy_(0.3 * torch.randn(logit.shape))
    through_file("v2-diffq", model, quantizer, diffq=1e-4, qat=0, q_min_size=0.002)
    # As the published DiffQ model: older than diffq's `meta`, and than its packing.
    state = quantizer.get_quantized_state(packed=False)
    del state["meta"]
    inner = io.BytesIO()
    torch.save(state, inner)
    package = load(FOLDER / "v2-diffq.th", weights_only=False)
    package["state"] = {"compressed": zlib.compress(inner.getvalue())}
    torch.save(package, FOLDER / "v2-diffq-old.th")
    model = demucs()
    quantizer = UniformQuantizer(model, bits=8, min_size=0.002)
    through_file("v2-qat", model, quantizer, diffq=0, qat=8, q_min_size=0.002)
    model = demucs()
    torch.save(model.state_dict(), FOLDER / "v2-bare.th")
    save_golden("v2-bare", model, 500)
    model = louder(ConvTasNet(["drums", "voice"], N=12, L=8, B=6, H=10, X=2, R=2))
    through_file("tasnet", model, None, **none)
    torch.save(model.state_dict(), FOLDER / "tasnet-bare.th")
    torch.save(torch.nn.Linear(2, 2), FOLDER / "whole-module.th")
    torch.save(dict(state={"a": 1}, epoch=3), FOLDER / "no-model.th")
    torch.save({"weight": torch.zeros(3)}, FOLDER / "legacy.th", _use_new_zipfile_serialization=False)
    script = torch.jit.script(torch.nn.Linear(2, 2))
    torch.jit.save(script, FOLDER / "torchscript.pt")
    hostile()


class Hostile:
    def __reduce__(self):
        import os
        return os.system, ("echo this must never be seen",)


def hostile():
    torch.save(dict(klass=Hostile(), args=(), kwargs={}, state={}), FOLDER / "os-system.th")


def v4():
    from demucs.demucs import Demucs
    from demucs.hdemucs import HDemucs
    from demucs.hf import load_safetensors_model
    from demucs.htdemucs import HTDemucs
    from demucs.states import get_state, load_model
    from diffq import DiffQuantizer
    small = dict(sources=["drums", "voice"], channels=4, norm_starts=2, norm_groups=2,
                 segment=Fraction(1_600, 44_100))

    def package(model, quantizer=None):
        """As `demucs.states.serialize_model`, less the parser of its command line."""
        args, kwargs = model._init_args_kwargs
        state = get_state(model, quantizer, half=True)
        return dict(klass=model.__class__, args=args, kwargs=kwargs, state=state,
                    training_args=dict(dset=dict(segment=11, wav=None), seed=42, lr=3e-4))

    def through_files(name, content):
        torch.save(content, FOLDER / f"{name}.th")
        save_golden(name, load_model(FOLDER / f"{name}.th"), 800, with_weights=False)
        as_safetensors(content, FOLDER / f"{name}.safetensors")
        check = load_safetensors_model(FOLDER / f"{name}.safetensors").state_dict()
        assert all(torch.equal(check[key], value)
                   for key, value in load_model(FOLDER / f"{name}.th").state_dict().items())

    torch.manual_seed(2)
    hybrid = dict(small, nfft=256, depth=3, dconv_attn=2, dconv_lstm=2)
    through_files("htdemucs", package(louder(HTDemucs(**small, nfft=256, depth=2, t_layers=1, t_heads=2,
                                              dconv_mode=3, dconv_comp=2,
                                              bottom_channels=8))))
    through_files("hdemucs", package(louder(HDemucs(**hybrid))))
    through_files("demucs-v3", package(louder(Demucs(**small, depth=3, dconv_attn=2, dconv_lstm=2))))
    model = louder(HDemucs(**hybrid))
    quantizer = DiffQuantizer(model, min_size=0.003, group_size=8)
    for name, logit in model.named_parameters():
        if name.endswith("_diffq"):
            logit.copy_(0.3 * torch.randn(logit.shape))
    through_files("hdemucs-diffq", package(model, quantizer))


def as_safetensors(content, path):
    """As the releases' files were made (`tools/export_hf.py` of the reference's repository): class
    and arguments as JSON, nested states described beside their tensors."""
    klass = content["klass"]

    def plain(value):
        return dict(_type="fraction", numerator=value.numerator, denominator=value.denominator)

    metadata = dict(klass=f"{klass.__module__}.{klass.__qualname__}",
                    args=json.dumps(content["args"]),
                    kwargs=json.dumps(content["kwargs"], default=plain))
    tensors = {}

    def nested(value, path):
        if isinstance(value, torch.Tensor):
            tensors[path] = value
            return dict(_tensor=path)
        if isinstance(value, dict):
            return dict(_dict=[[key, nested(item, f"{path}.{key}")] for key, item in value.items()])
        if isinstance(value, (list, tuple)):
            return {f"_{type(value).__name__}": [nested(item, f"{path}.{index}")
                                                 for index, item in enumerate(value)]}
        if isinstance(value, type):
            return dict(_class=f"{value.__module__}.{value.__qualname__}")
        return value

    if content["state"].get("__quantized"):
        metadata["structure"] = json.dumps(nested(content["state"], "state"))
    else:
        tensors = content["state"]
    save(path, tensors, metadata)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        dict(v2=v2, v4=v4)[sys.argv[1]]()
