"""Compiles the Triton kernels for a GPU without one; run by test_triton.py.

The compiler refuses much that the interpreter accepts. Exits with an error where a kernel of the
contraction fuses a multiplication with an addition.
"""

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from spitgraph.kernels.cuda import contraction
from spitgraph.kernels.cuda.colour import lab_steps
from spitgraph.kernels.cuda.regions import describe
from spitgraph.kernels.cuda.vectors import token_vectors

ARCHITECTURE = 80
HEIGHT, WIDTH = 5, 6


class Driver:
    """What the compiler asks about the GPU."""

    def get_current_target(self):
        return GPUTarget("cuda", ARCHITECTURE, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


def compile_only(compiled):
    """From now on, launching a kernel compiles it, and notes it down."""
    run = JITFunction.run

    def warm_up(self, *args, grid, warmup, **kwargs):
        compiled.setdefault(self.fn.__name__, []).append(
            run(self, *args, grid=grid, warmup=True, **kwargs)
        )

    JITFunction.run = warm_up
    triton.runtime.driver.set_active(Driver())


def make_up_results():
    """As nothing runs, say that every image chose three edges, and has all regions in one tree."""
    choose, number = contraction.choose, contraction.number

    def made_up_choice(level, settings):
        choice = choose(level, settings)
        level.tally.fill_(3)
        choice.parent.zero_()
        return choice

    def made_up_numbers(*args):
        return [cluster.zero_() for cluster in number(*args)]

    contraction.choose, contraction.number = made_up_choice, made_up_numbers


def report(name, kernels):
    print(f"{name}: {len(kernels)} kernels")


if __name__ == "__main__":
    compiled = {}
    compile_only(compiled)
    make_up_results()
    for num_regions in (0, HEIGHT * WIDTH - 4):  # the latter leaves one edge to apply at the end
        steps = torch.zeros(3, HEIGHT * WIDTH, dtype=torch.int32)
        contraction.contract(steps, [HEIGHT], [WIDTH], 3, num_regions, "ward", 0.5)
    report("contract", compiled)
    for name, versions in compiled.items():
        for kernel in versions:
            assert "fma.rn.f64" not in kernel.asm["ptx"], name
            assert not kernel.metadata.enable_fp_fusion, name

    lab_steps(torch.rand(3, HEIGHT, WIDTH))
    cluster = torch.zeros(HEIGHT * WIDTH, dtype=torch.int64)
    pixels = torch.rand(HEIGHT * WIDTH, 3)
    describe(cluster, pixels, [HEIGHT], [WIDTH], [1])
    size, box = torch.tensor([HEIGHT * WIDTH]), torch.tensor([[0, 0, WIDTH, HEIGHT]])
    for mode in ("bilinear", "nearest"):
        token_vectors(
            pixels, cluster, size, box, [HEIGHT], [WIDTH], [1], 16, 0.05, mode == "bilinear", mode
        )
    report("all", compiled)
