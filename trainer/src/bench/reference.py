"""The reference packages' side of `trainer bench --against python`.

    reference.py CHECKPOINT THREADS separate|train

Builds the package's own network with the checkpoint's weights, says `ready`, and answers every line
`INPUT OUTPUT SHAPE` on standard input, INPUT being a raw float32 file of shape SHAPE (a,b,...):

- `separate` writes the stems of the mixture INPUT to OUTPUT;
- `train` takes one step on the true stems INPUT as demucs==2.0.3's train.py does, and writes the
  loss before it to OUTPUT.

The answer is the seconds that it took, on the clock and of all threads' CPU time.
"""

import json
import struct
import sys
import time
from fractions import Fraction

import numpy
import torch


def read_checkpoint(path):
    """Metadata and tensors of a safetensors file, without its package."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__")
    kinds = {"F32": numpy.float32, "F16": numpy.float16}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(data[begin:end], dtype=kinds[entry["dtype"]])
        tensors[name] = torch.from_numpy(values.astype(numpy.float32).reshape(entry["shape"]))
    return metadata["bunri.architecture"], json.loads(metadata["bunri.config"]), tensors


def renamed(config, **names):
    return {names.get(name, name): value for name, value in config.items()}


def demucs(config):
    from demucs.model import Demucs  # demucs==2.0.3

    return Demucs(**renamed(config, stems="sources", sample_rate="samplerate",
                            segment_frames="segment_length"))


def conv_tasnet(config):
    from demucs.tasnet import ConvTasNet  # demucs==2.0.3

    return ConvTasNet(**renamed(
        config, stems="sources", sample_rate="samplerate", segment_frames="segment_length",
        filters="N", filter_frames="L", bottleneck_channels="B", hidden_channels="H",
        kernel_size="P", blocks="X", repeats="R", norm="norm_type", mask="mask_nonlinear"))


def of_demucs_4(config):
    """The arguments of demucs==4.1.0's own classes."""
    config = renamed(config, stems="sources", sample_rate="samplerate", segment_frames="segment")
    config["segment"] = Fraction(config["segment"], config["samplerate"])
    # Widths are products of these: they must stay integers.
    return {name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in config.items()}


def demucs_v3(config):
    from demucs.demucs import Demucs

    return Demucs(**of_demucs_4(config))


def hdemucs(config):
    from demucs.hdemucs import HDemucs

    return HDemucs(**of_demucs_4(config))


def htdemucs(config):
    from demucs.htdemucs import HTDemucs

    return HTDemucs(**of_demucs_4(config))


REFERENCES = {"demucs": demucs, "conv-tasnet": conv_tasnet, "demucs-v3": demucs_v3,
              "hdemucs": hdemucs, "htdemucs": htdemucs}


class Stopwatch:
    def __init__(self):
        self.started = time.perf_counter(), time.process_time()

    def __str__(self):
        wall, cpu = self.started
        return f"{time.perf_counter() - wall} {time.process_time() - cpu}"


def separate(network, mix):
    with torch.no_grad():
        watch = Stopwatch()
        stems = network(mix)
        return str(watch), stems


class Training:
    """The step of demucs==2.0.3's train.py without its augmentation, on its own defaults."""

    def __init__(self, network):
        from demucs.utils import center_trim

        self.center_trim = center_trim
        self.network = network.train()
        self.criterion = torch.nn.L1Loss()
        self.optimizer = torch.optim.Adam(network.parameters(), lr=3e-4)

    def step(self, stems):
        watch = Stopwatch()
        estimates = self.network(stems.sum(dim=1))
        loss = self.criterion(estimates, self.center_trim(stems, estimates))
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return str(watch), loss.detach()


def main():
    path, threads, task = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(threads)
    architecture, config, tensors = read_checkpoint(path)
    if architecture not in REFERENCES:
        sys.exit(f"no reference package for the architecture {architecture}")
    network = REFERENCES[architecture](config)
    network.load_state_dict(tensors)
    network.eval()
    answer = Training(network).step if task == "train" else lambda mix: separate(network, mix)
    print("ready", flush=True)
    for line in sys.stdin:
        source, target, shape = line.split()
        shape = [int(axis) for axis in shape.split(",")]
        times, result = answer(
            torch.from_numpy(numpy.fromfile(source, dtype=numpy.float32).reshape(shape)))
        result.contiguous().numpy().tofile(target)
        print(times, flush=True)


main()
