"""Compiled code is kept as long as nothing of what it was compiled from changes, and no longer."""

import ast
import importlib
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

from spitgraph.kernels import pipelines  # noqa: E402
from spitgraph.kernels.cpu import jit  # noqa: E402
from spitgraph.kernels.pipelines import PACKAGE, PIPELINES, SHARED  # noqa: E402


def imports(module):
    """(module, name) of what a module of this package imports from others of it, at its top."""
    for node in ast.parse(Path(module.__file__).read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("spitgraph"):
            for alias in node.names:
                yield node.module, alias.name


def kernel_modules(pipeline):
    importlib.import_module(pipeline.warm_up)
    names = {kernel.__module__ for kernel in jit.KERNELS}
    return [name for name in names if name.removeprefix("spitgraph.").startswith(pipeline.modules)]


def compiled_from(pipeline):
    """Modules whose text decides what is compiled."""
    found, waiting = set(), kernel_modules(pipeline)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        module = sys.modules[name]
        has_kernels = any(kernel.__module__ == name for kernel in jit.KERNELS)
        # of other modules only constants get into compiled code: they are written in capitals
        waiting += [
            other for other, what in imports(module) if has_kernels or what.lstrip("_").isupper()
        ]
    return found


@pytest.mark.parametrize("name", PIPELINES)
def test_every_module_that_kernels_import_from_is_in_the_stamp(name):
    pipeline = PIPELINES[name]
    stamped = {path for pattern in pipeline.sources + SHARED for path in PACKAGE.glob(pattern)}
    modules = compiled_from(pipeline)
    assert len(modules) > 1
    assert {Path(sys.modules[module].__file__) for module in modules} <= stamped


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pattern_of_sources_names_a_file(name):
    assert all(any(PACKAGE.glob(pattern)) for pattern in PIPELINES[name].sources + SHARED)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Another copy of the sources, with other times."""
    shutil.copytree(PACKAGE, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path / "copy").rglob("*.py"):
        path.touch()
    monkeypatch.setattr(pipelines, "PACKAGE", tmp_path / "copy")
    pipelines._digest.cache_clear()
    yield tmp_path / "copy"
    pipelines._digest.cache_clear()


def stamps():
    pipelines._digest.cache_clear()
    return {name: pipeline.stamp() for name, pipeline in PIPELINES.items()}


def test_a_copy_has_the_same_stamps(copy, monkeypatch):
    there = stamps()
    monkeypatch.setattr(pipelines, "PACKAGE", PACKAGE)
    assert there == stamps()


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("contraction/cpu/weights.py", {"contraction", "fine"}),
        ("contraction/fine/rule.py", {"fine"}),
        ("regions/cpu/measure.py", {"regions"}),
        ("contraction/cpu/connect.py", {"contraction", "fine", "regions"}),
        ("tokenizers/cells.py", {"cells"}),
        ("extractors/interpolation/cpu/texture.py", {"interpolation"}),
        ("kernels/cpu/elementary.py", set(PIPELINES)),
        ("nn/block.py", set()),
    ],
)
def test_a_change_concerns_the_pipelines_that_it_reaches(copy, file, changed):
    before = stamps()
    path = copy / file
    path.write_text(path.read_text() + "\n")
    after = stamps()
    assert {name for name in PIPELINES if before[name] != after[name]} == changed
