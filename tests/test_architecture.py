"""docs/architecture.md and CONTRIBUTING.md say what is: places, names, and who imports whom."""

import ast
import re
from functools import cache
from itertools import product

import pytest

from helpers.places import REPOSITORY

PACKAGE = REPOSITORY / "spitgraph"
ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"
DOCUMENTS = [ARCHITECTURE, REPOSITORY / "CONTRIBUTING.md"]
#: Names that are not from here.
OTHERS = {"fastmath", "hypothesis", "register_fake"}
#: What begins with these is a place in the repository.
TOP = ("spitgraph/", "tests/", "docs/", "benchmarks/", "examples/", "tools/")


def quoted(text):
    """What stands between backticks, code blocks aside."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


def without_braces(place):
    """`a/{b,c}.py` → `a/b.py`, `a/c.py`."""
    parts = [part.split(",") for part in re.split(r"[{}]", place)]
    return ["".join(choice) for choice in product(*parts)]


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf8"))


def defined(tree):
    """Names of functions, classes, arguments and assigned values, at any depth."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
    return names


def top_level(tree):
    """Names of functions and classes, and assigned values."""
    nodes = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    named = {node.name for node in tree.body if node not in nodes}
    return named | defined(ast.Module(nodes, []))


def modules():
    return sorted(PACKAGE.rglob("*.py"))


# ---- places and names ----------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_places_exist(document):
    named = [text for text in quoted(document.read_text(encoding="utf8")) if text.startswith(TOP)]
    places = [place for text in named for place in without_braces(text.split("::")[0])]
    assert len(places) > 5
    assert not [place for place in places if not (REPOSITORY / place).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_names_exist(document):
    paths = [*modules(), *(REPOSITORY / "tests").rglob("*.py")]
    there = set().union(*(defined(tree_of(path)) for path in paths)) | OTHERS
    there |= {path.stem for path in paths} | {path.parent.name for path in paths}
    named = set(quoted(document.read_text(encoding="utf8")))
    named = {text for text in named if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", text)}
    ours = {text for text in named if not re.search(r"\.(py|md)$|^torch\.", text)}
    assert not {text for text in ours if not set(text.split(".")) <= there}


def test_operators_exist():
    source = "".join(path.read_text(encoding="utf8") for path in modules())
    named = re.findall(r"`(spitgraph::\w+)`", ARCHITECTURE.read_text(encoding="utf8"))
    assert named and not [name for name in named if f'"{name}"' not in source]


def vocabulary():
    """File, and what a step is called there, from the table of words."""
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in ARCHITECTURE.read_text(encoding="utf8").splitlines()
        if line.startswith("|") and line.count("|") == 7
    ]
    folders = [quoted(cell)[0] for cell in rows[2][2:]]
    for _, name, *cells in rows[3:]:
        for folder, cell in zip(folders, cells, strict=True):
            if cell:
                file, *other = quoted(cell)
                yield folder + file, other[0] if other else quoted(name)[0]


def test_a_step_has_one_name_in_all_bodies():
    steps = list(vocabulary())
    assert len(steps) > 50
    assert not [
        (place, there)
        for place, there in steps
        if not (REPOSITORY / place).exists() or there not in top_level(tree_of(REPOSITORY / place))
    ]


def test_the_map_is_whole():
    entries = {path for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    places = {f"spitgraph/{path.name}" for path in entries if path.name != "__pycache__"}
    named = " ".join(quoted(ARCHITECTURE.read_text(encoding="utf8")))
    assert not {place for place in places if place not in named}
    folders = {place.removeprefix("spitgraph/").removesuffix(".py") for place in places}
    assert folders - {"__init__", "__main__"} == ranks().keys()


# ---- imports -------------------------------------------------------------------------------------


def ranks():
    """Place in the list of who may import whom, by name of package or module."""
    text = ARCHITECTURE.read_text(encoding="utf8")
    section = text.split("**Imports run downwards.**")[1].split("**")[0]
    listed = re.findall(r"^(\d+)\. (.*)$", section, re.M)
    assert [int(number) for number, _ in listed] == list(range(1, len(listed) + 1))
    return {
        place.removeprefix("spitgraph/").removesuffix(".py").strip("/"): int(number)
        for number, places in listed
        for place in quoted(places)
    }


class Imports(ast.NodeVisitor):
    """Modules of spitgraph that a module imports, those for type checkers alone left out."""

    def __init__(self):
        self.found = set()

    def visit_If(self, node):
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)

    def visit_Import(self, node):
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node):
        assert node.level == 0, "imports name the whole way"
        if node.module == "spitgraph":
            self.found |= {f"spitgraph.{alias.name}" for alias in node.names}
        else:
            self.found.add(node.module)


def imported(path):
    visitor = Imports()
    visitor.visit(tree_of(path))
    return {name.split(".")[1] for name in visitor.found if name.startswith("spitgraph.")}


#: Upwards, when called: Settings asks which similarities and features there are, and notebooks ask
#: tokens to show themselves.
LOOKS_UP = {"settings": {"contraction", "pixels"}, "data": {"inspection"}}


def test_imports_run_downwards():
    rank, upwards = ranks(), []
    for path in modules():
        place = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if place in ("__init__", "__main__"):  # the public names, and the command
            continue
        others = (imported(path) & rank.keys()) - {place} - LOOKS_UP.get(place, set())
        upwards += [(str(path), other) for other in others if rank[other] >= rank[place]]
    assert not upwards
