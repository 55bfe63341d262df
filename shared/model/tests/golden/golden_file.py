"""Writes golden files: what the scripts beside this one have in common."""

import json
import struct

import torch


def save(path, tensors, metadata):
    """A safetensors file, by hand: a dependency less."""
    kinds = {torch.float32: "F32", torch.float16: "F16"}
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        header[name] = dict(dtype=kinds[tensor.dtype], shape=list(tensor.shape),
                            data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
