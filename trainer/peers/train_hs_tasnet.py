"""Trains PyPI hs-tasnet by its own training code on our songs, and separates songs with it.

    pip install hs-tasnet torch==2.11.0 soundfile      # and Debian's libportaudio2, which it loads
    python trainer/peers/train_hs_tasnet.py train -o runs/hs-tasnet --steps 640 \
        ../shared/data/everything-is-free/train data/rendered/synthetic data/rendered/recorded
    python trainer/peers/train_hs_tasnet.py separate runs/hs-tasnet -o runs/hs-tasnet/stems data/rendered/valid
    trainer evaluate --data data/rendered/valid --estimates runs/hs-tasnet/stems

Songs are folders with drums, bass, other and vocals in any format that libsndfile reads. A song
without all four is left out: the package knows no partly labelled songs. Its augmentations (gain,
channel swap, remix within the batch) are its own, at their defaults.

The default size (--dim 192 --basis 384, one LSTM layer) is the largest of the package's kind whose
weights stay below 12 MB in half precision; its published size has 50 million weights.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from hs_tasnet import HSTasNet
from hs_tasnet.trainer import Trainer
from torch.utils.data import Dataset

STEMS = ["drums", "bass", "other", "vocals"]
SECONDS = 2
RATE_HZ = 44_100


def songs_in(folder):
    """Per song of a folder: its name and its four files."""
    found = []
    for song in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        files = [sorted(song.glob(f"{stem}.*")) for stem in STEMS]
        if all(files):
            found.append((song.name, [file[0] for file in files]))
    return found


class Segments(Dataset):
    """Random segments of random songs; each folder is as likely as its weight."""

    def __init__(self, folders, weights, steps):
        self.folders = [songs_in(folder) for folder in folders]
        self.weights = weights
        self.steps = steps

    def __len__(self):
        return self.steps

    def __getitem__(self, _):
        (songs,) = random.choices(self.folders, self.weights)
        _, files = random.choice(songs)
        frames = min(soundfile.info(file).frames for file in files)
        length = SECONDS * RATE_HZ
        start = random.randrange(max(1, frames - length))
        read = [soundfile.read(f, length, start, dtype="float32", always_2d=True)[0] for f in files]
        stems = torch.from_numpy(np.stack(read).transpose(0, 2, 1).copy())  # [stems, 2, frames]
        return stems.sum(0), stems


def train(args):
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    model = HSTasNet(small=True, dim=args.dim, num_basis=args.basis)
    weights = [float(weight) for weight in args.weights.split(",")] if args.weights else None
    trainer = Trainer(
        model,
        # Its remix adds half as many examples again.
        dataset=Segments(args.songs, weights, args.steps * args.batch),
        batch_size=args.batch,
        max_steps=args.steps,
        cpu=args.cpu,
        checkpoint_folder=args.output / "checkpoints",
        eval_results_folder=args.output / "results",
    )
    started = time.process_time()
    trainer()
    seconds = time.process_time() - started
    trainer.unwrapped_model.save(args.output / "model.pt")
    about = {
        "parameters": model.num_parameters,
        "steps": int(trainer.step),
        "examples_per_step": args.batch + args.batch // 2,
        "cpu_seconds": seconds,
    }
    (args.output / "about.json").write_text(json.dumps(about))
    print(about)


@torch.inference_mode()
def separate(args):
    model = HSTasNet.init_and_load_from(args.model / "model.pt").eval()
    for name, files in songs_in(args.songs):
        stems = [soundfile.read(file, dtype="float32", always_2d=True)[0].T for file in files]
        frames = max(stem.shape[1] for stem in stems)
        mixture = sum(np.pad(stem, ((0, 0), (0, frames - stem.shape[1]))) for stem in stems)
        whole = -(-frames // model.segment_len) * model.segment_len
        audio = torch.from_numpy(np.pad(mixture, ((0, 0), (0, whole - frames))))
        estimates, _ = model(audio[None])
        folder = args.output / name
        folder.mkdir(parents=True, exist_ok=True)
        for stem, estimate in zip(STEMS, estimates[0]):
            audio = estimate[:, :frames].T.numpy()
            soundfile.write(folder / f"{stem}.wav", audio, RATE_HZ, "FLOAT")
        print(name, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("train")
    command.add_argument("songs", type=Path, nargs="+")
    command.add_argument("--weights", help="one per folder, e.g. 1,2.2,1.4 [default: all the same]")
    command.add_argument("-o", "--output", type=Path, required=True)
    command.add_argument("--steps", type=int, required=True)
    command.add_argument("--batch", type=int, default=4)
    command.add_argument("--dim", type=int, default=192)
    command.add_argument("--basis", type=int, default=384)
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--cpu", action="store_true")
    command.set_defaults(run=train)
    command = commands.add_parser("separate")
    command.add_argument("model", type=Path)
    command.add_argument("songs", type=Path)
    command.add_argument("-o", "--output", type=Path, required=True)
    command.set_defaults(run=separate)
    args = parser.parse_args()
    args.run(args)


main()
