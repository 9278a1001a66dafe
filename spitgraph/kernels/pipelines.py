"""What is compiled together for the CPU, from which files, and how to have all of it compiled."""

import hashlib
import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1]
#: What kernels of all pipelines call.
SHARED = ("kernels/cpu/*.py",)


class Pipeline(NamedTuple):
    """Kernels that serve together or not at all.

    Attributes:
        modules: Of its kernels, below `spitgraph`: all whose names begin like this.
        sources: Files that they are compiled from, and others whose constants are compiled in.
        warm_up: Module whose `warm_up()` calls every kernel with every type it will ever be given.
    """

    modules: tuple[str, ...]
    sources: tuple[str, ...]
    warm_up: str

    def stamp(self) -> str:
        """What its compiled code depends on: it changes when a source does, and only then."""
        return _digest(self.sources + SHARED)

    def examples(self) -> Callable[[], None]:
        """Calls of all its kernels, which compile them or load them from disk."""
        return importlib.import_module(self.warm_up).warm_up


PIPELINES = {
    "contraction": Pipeline(
        modules=("contraction.cpu.",),
        sources=(
            "contraction/cpu/*.py",
            "contraction/graph.py",
            "contraction/similarity.py",
            "contraction/weights.py",
            "colour.py",
        ),
        warm_up="spitgraph.contraction.cpu.warm_up",
    ),
    "fine": Pipeline(
        modules=("contraction.fine.",),
        sources=(
            "contraction/fine/cpu/*.py",
            "contraction/fine/rule.py",
            "contraction/cpu/*.py",
            "contraction/graph.py",
            "contraction/similarity.py",
            "contraction/weights.py",
            "colour.py",
        ),
        warm_up="spitgraph.contraction.fine.cpu.warm_up",
    ),
    "regions": Pipeline(
        modules=("regions.",),
        sources=(
            "regions/cpu/*.py",
            "regions/describe.py",
            "contraction/cpu/connect.py",
            "colour.py",
        ),
        warm_up="spitgraph.regions.cpu.warm_up",
    ),
    "cells": Pipeline(
        modules=("tokenizers.cells",),
        sources=("tokenizers/cells.py",),
        warm_up="spitgraph.tokenizers.cells",
    ),
    "interpolation": Pipeline(
        modules=("extractors.interpolation.",),
        sources=(
            "extractors/interpolation/cpu/*.py",
            "colour.py",
            "pixels.py",
        ),
        warm_up="spitgraph.extractors.interpolation.cpu.warm_up",
    ),
    "corpus": Pipeline(
        modules=("corpus.maps.compiled",),
        sources=("corpus/maps/compiled.py", "corpus/maps/plain.py"),
        warm_up="spitgraph.corpus.maps.compiled",
    ),
}


def stamp_of_module(name: str) -> str:
    """What code compiled from a kernel of this module depends on."""
    below = name.removeprefix("spitgraph.")
    for pipeline in PIPELINES.values():
        if below.startswith(pipeline.modules):
            return pipeline.stamp()
    return _digest(SHARED)


@cache
def _digest(patterns: tuple[str, ...]) -> str:
    """Of the names and the bytes of files, not of times: a clone's or a wheel's say nothing."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in PACKAGE.glob(pattern)}):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
