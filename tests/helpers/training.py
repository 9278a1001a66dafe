"""Short runs."""

import subprocess
import sys
from pathlib import Path

import torch

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
