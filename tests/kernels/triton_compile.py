"""Compiles the Triton kernels for a GPU without one; run by test_triton.py.

The compiler refuses much that the interpreter accepts. Exits with an error where a kernel of the
contraction, by either rule, fuses a multiplication with an addition, or would let the assembler.
"""

import re

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from spitgraph.contraction import SIMILARITIES
from spitgraph.contraction.cuda import hierarchy as contraction
from spitgraph.contraction.cuda.colour import quantised_lab
from spitgraph.contraction.fine.cuda import borders, nest
from spitgraph.contraction.fine.cuda import hierarchy as fine
from spitgraph.extractors.interpolation.cuda.vectors import token_vectors
from spitgraph.regions.cuda import describe_regions
from spitgraph.settings import Settings

ARCHITECTURES = 80, 90
HEIGHT, WIDTH = 5, 6


class Driver:
    """What the compiler asks about the GPU."""

    architecture = None

    def get_current_target(self):
        return GPUTarget("cuda", self.architecture, 32)

    def get_current_device(self):
        return self.architecture

    def get_current_stream(self, device):
        return 0


def compile_only(driver, compiled):
    """From now on, launching a kernel compiles it for the driver's GPU, and notes it down."""
    run = JITFunction.run

    def warm_up(self, *args, grid, warmup, **kwargs):
        compiled.setdefault(self.fn.__name__, []).append(
            run(self, *args, grid=grid, warmup=True, **kwargs)
        )

    JITFunction.run = warm_up
    triton.runtime.driver.set_active(driver)


def make_up_results(module):
    """As nothing runs, say that every image chose three edges, and has all regions in one tree."""
    choose, clusters = module.choose, module.clusters

    def made_up_choice(level, *args):
        choice = choose(level, *args)
        level.tally.fill_(3)
        choice.parent.zero_()
        return choice

    def made_up_clusters(*args):
        return [cluster.zero_() for cluster in clusters(*args)]

    module.choose, module.clusters = made_up_choice, made_up_clusters


def make_up_fine_results():
    """The same; and that some pixel sides are between regions, and all parts are pixels."""
    make_up_results(fine)
    added_up, first_members = borders.added_up, nest.first_members

    def made_up_borders(level, pairs, *args):
        return added_up(level, pairs.new_zeros(max(len(pairs), 3)), *args)

    def made_up_parts(parent):
        first_members(parent)
        return parent, parent + 1

    borders.added_up, nest.first_members = made_up_borders, made_up_parts


def compile_contraction():
    images = [torch.zeros(3, HEIGHT, WIDTH)]
    features_q = torch.zeros(3, HEIGHT * WIDTH, dtype=torch.int32)
    contraction.contract(images, features_q, Settings(3))  # no boxes
    for similarity in SIMILARITIES:
        for count in (None, HEIGHT * WIDTH - 4):  # the latter leaves one edge to the last level
            settings = Settings(3, num_tokens=count, similarity=similarity, compactness=0.5)
            contraction.contract(images, features_q, settings)


def compile_fine():
    """In the last level three regions are left: only cheap pairs merge, and one too many would."""
    fine.contract([torch.zeros(3, HEIGHT, WIDTH)], None, Settings(num_tokens=2, quality="fine"))


def compile_the_others():
    quantised_lab(torch.rand(3, HEIGHT * WIDTH))
    cluster = torch.zeros(HEIGHT * WIDTH, dtype=torch.int64)
    pixels = torch.rand(HEIGHT * WIDTH, 3)
    describe_regions([torch.rand(3, HEIGHT, WIDTH)], cluster, [1])
    size, box = torch.tensor([HEIGHT * WIDTH]), torch.tensor([[0, 0, WIDTH, HEIGHT]])
    normal = [0.5] * 3, [0.25] * 3
    for mode, statistics in (("bilinear", ()), ("nearest", ()), ("bilinear", normal)):
        token_vectors(
            pixels, cluster, size, box, [HEIGHT], [WIDTH], [1], 16, 0.05, mode == "bilinear", mode,
            *statistics,
        )  # fmt: skip


if __name__ == "__main__":
    driver, compiled = Driver(), {}
    compile_only(driver, compiled)
    make_up_results(contraction)
    make_up_fine_results()
    for driver.architecture in ARCHITECTURES:
        compile_contraction()
    print(f"contract: {len(compiled)} kernels")
    for driver.architecture in ARCHITECTURES:
        compile_fine()
    print(f"both rules: {len(compiled)} kernels")
    for name, versions in compiled.items():
        assert {kernel.metadata.target.arch for kernel in versions} == set(ARCHITECTURES), name
        for kernel in versions:
            assert "fma.rn.f64" not in kernel.asm["ptx"], name
            assert not re.search(r"\b(add|sub|mul)\.f64", kernel.asm["ptx"]), name  # not rounded
            assert not kernel.metadata.enable_fp_fusion, name
    for driver.architecture in ARCHITECTURES:
        compile_the_others()
    print(f"all: {len(compiled)} kernels")
