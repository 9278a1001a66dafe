"""Small data sets and short runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from helpers.pictures import random_bytes
from spitgraph.models.files import read_tensors
from spitgraph.train import TrainingOptions

#: A model and a training of seconds.
SHORT = {
    "num_tokens": 6,
    "bins": 4,
    "width": 16,
    "depth": 2,
    "heads": 2,
    "init_values": 1.0,
    "epochs": 2,
    "batch_size": 8,
    "workers": 0,
    "accelerator": "cpu",
    "devices": "1",
    "quiet": True,
}


def write_pictures(folder, train=40, val=8, side=8, classes=3):
    """A data set of noise, whose classes differ in brightness."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate((("train", train), ("test", val))):
        labels = np.arange(count) % classes
        images = random_bytes(count, side, side, 3, seed=seed) // classes
        images += (labels * (255 // classes)).astype(np.uint8)[:, None, None, None]
        np.savez(folder / f"{split}.npz", images=images, labels=labels)
    return folder


def short(data, out, **options):
    """Options of a short run."""
    return TrainingOptions(str(data), str(out), **{**SHORT, **options})


def same_weights(one, other):
    """Whether two files hold the same tensors, bit for bit."""
    first, second = (read_tensors(path)[0] for path in (one, other))
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


def run_script(text, *arguments, processes=1, timeout=300):
    """Run Python text on its own, perhaps under torchrun; returns what came of it."""
    command = [sys.executable, "-c", text, *map(str, arguments)]
    if processes > 1:
        script = Path(arguments[0]) / "script.py"
        script.write_text(text)
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *(f"--nproc-per-node={processes}", str(script), *map(str, arguments)),
        ]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)
