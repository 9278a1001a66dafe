"""After `warm_up` nothing is compiled any more, whatever comes."""

import subprocess
import sys

import pytest

pytest.importorskip("numba")

from spitgraph.kernels.pipelines import PIPELINES  # noqa: E402

#: In a fresh process, which finds all on disk: everything that users can bring to the kernels.
CALLS = """
import numpy as np
import torch
from numba.core import event

compiled = []

class Listener(event.Listener):
    def on_start(self, e):
        compiled.append(str(e.data["dispatcher"]))

    def on_end(self, e):
        pass

event.register("numba:compile", Listener())

from spitgraph import (
    InterpolationExtractor, PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, kernels)
from spitgraph.contraction.cpu import batch
from spitgraph.contraction.fine.cpu import batch as fine
from spitgraph.corpus.row import row_of, tokens_of
from spitgraph.corpus.schema import Layout
from spitgraph.kernels.pipelines import PIPELINES
from spitgraph.regions.cpu import batch as regions

cpu = torch.device("cpu")
assert all(kernels.fused(cpu, name) for name in PIPELINES)
generator = torch.Generator().manual_seed(0)
bytes8 = torch.randint(256, (3, 24, 31), generator=generator).byte()
unit = torch.rand(3, 24, 31, generator=generator)
locked = np.random.rand(24, 31, 3).astype(np.float32)
locked.flags.writeable = False
images = [
    bytes8, bytes8 / 255, unit, unit[:, ::2, 1:-1], unit.flip(2), unit.mT, bytes8[:, :, 3:],
    unit[:1].expand(3, -1, -1), unit.permute(1, 2, 0).numpy(), locked,
    bytes8.permute(1, 2, 0).numpy()[::-1].copy(), bytes8[:, :1], bytes8[:, :, :1],
    unit[:, :1, :1], torch.zeros(3, 1, 9), unit.double().float(),
]
options = [
    dict(), dict(levels=1), dict(levels=9), dict(num_tokens=1), dict(compactness=1),
    dict(compactness=0.5, num_tokens=1), dict(similarity="ward"), dict(similarity="cosine"),
    dict(features="spit"), dict(features=lambda image: image[:2] * 3, compactness=0.2),
    dict(features=lambda image: image[:1].double(), similarity="ward"),
    dict(num_tokens=1, quality="fine"),
]
for limits in ((2**19, 2**17, 2**14), (1, 1, 12)):
    batch.LARGE, batch.LARGE_OF_FEW, batch.LEAST = limits
    for module in (fine, regions):
        module.LARGE, module.LARGE_OF_FEW = limits[:2]
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        for option in options:
            tokens = SuperpixelTokenizer(**option)(images)
tokens = [SuperpixelTokenizer(2)(images), SuperpixelTokenizer()(unit), SuperpixelTokenizer(1)(unit),
          PatchTokenizer(8)(unit[:, :24, :24]), VoronoiTokenizer(9)(unit)]
for graph in tokens:
    for bins, gradient, mode, sigma in (
        (16, True, "bilinear", 0.05), (5, False, "nearest", 1), (32, True, "nearest", 0.01)):
        InterpolationExtractor(bins, gradient=gradient, mode=mode, sigma=sigma)(graph)
for graph in tokens[1:]:
    for layout in (Layout(), Layout(hierarchy=False, pixels=True)):
        tokens_of(row_of(graph, layout), layout)
assert not compiled, compiled
print("nothing compiled")
"""


def test_nothing_is_compiled_in_the_caller():
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True)
    assert done.stdout == "nothing compiled\n", done.stderr[-3000:]


def test_the_command_says_what_is_there():
    command = [sys.executable, "-m", "spitgraph", "warm-up"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in PIPELINES:
        assert f"{name:<13}  compiled before\n" in done.stdout
