"""Runs a script by the spitgraph of another commit and by this tree's, for comparing them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def two_trees(commit: str) -> Iterator[tuple[Path, Path]]:
    """The sources of a commit, for as long as they are needed, and this tree."""
    git = ["git", "-C", str(ROOT), "worktree"]
    with TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
        try:
            yield tree, ROOT
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def run(script: str, source: Path, *arguments: str) -> None:
    """Run a script in a process that imports spitgraph from a tree."""
    command = [sys.executable, script, *arguments]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source)}, check=True)


def warm_up() -> Path:
    """Have kernels compiled, where that can be asked for; where spitgraph was imported from."""
    import spitgraph
    from spitgraph import kernels

    if hasattr(kernels, "warm_up"):
        kernels.warm_up()
    return Path(spitgraph.__file__).parents[1]
