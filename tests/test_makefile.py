"""Targets of the Makefile install what their commands need."""

import re
import sys

import pytest

from helpers.places import REPOSITORY

if sys.version_info < (3, 11):
    pytest.skip("there is no tomllib", allow_module_level=True)

import tomllib

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


def brought(extras):
    """Names of what extras install, and of the extras that these name."""
    names = set()
    for extra in extras:
        for need in EXTRAS[extra]:
            own = re.match(r"spitgraph\[(.*)\]", need)
            names |= brought(own[1].split(",")) if own else {re.match(r"[\w-]+", need)[0]}
    return names


def targets():
    """Name, extras and commands of each target that installs some."""
    for rule in re.findall(r"^[\w-]+:.*\n(?:\t.*\n)*", MAKEFILE, re.MULTILINE):
        head, _, commands = rule.partition("\n")
        extras = re.findall(r"\.ready-([\w,-]+)", head)
        if extras:
            yield head.split(":")[0], [e for some in extras for e in some.split(",")], commands


def test_what_is_warmed_up_is_installed():
    warmed = {name: extras for name, extras, commands in targets() if "warm-up" in commands}
    assert {"demo", "train-demo", "speed"} <= set(warmed)
    for name, extras in warmed.items():
        assert "numba" in brought(extras), name
