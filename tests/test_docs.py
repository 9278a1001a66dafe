"""What documents show runs, and their links and references lead somewhere."""

import ast
import importlib
import re
import runpy

import pytest

import spitgraph
from helpers.documents import (
    DOCUMENTS,
    blocks,
    commands,
    run_python,
    write_corpus,
    write_sample_files,
)
from helpers.places import REPOSITORY as ROOT
from spitgraph.attributes import ATTRIBUTES
from spitgraph.cli import main
from spitgraph.cli.parser import build_parser
from spitgraph.models.names import AUTHORS, rewritten

SHELL = [block for document in DOCUMENTS for block in blocks(document, "sh", "bash")]
PYTHON = [block for document in DOCUMENTS for block in blocks(document, "python")]
WITH_PYTHON = sorted({block.document for block in PYTHON if block.reason is None})
#: Blocks with commands of ours that run here.
RUN = [
    block
    for block in SHELL
    if block.reason is None and any(words[0] == "spitgraph" for words in commands(block))
]


def shown(path):
    return str(path.relative_to(ROOT))


# ---- code ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return write_sample_files(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def root(samples, tmp_path, monkeypatch):
    """A place like the repository's root, with what documents speak of, to be written to."""
    for entry in samples.iterdir():
        (tmp_path / entry.name).symlink_to(entry.resolve())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("document", WITH_PYTHON, ids=shown)
def test_python_runs_as_written(document, root, unchecked, capsys):
    pytest.importorskip("matplotlib")
    if 'TokenDataset("OUT")' in document.read_text(encoding="utf8"):
        pytest.importorskip("pyarrow")
        write_corpus("OUT")
    run_python(document)


@pytest.mark.parametrize("block", [b for b in PYTHON if b.reason], ids=str)
def test_python_that_does_not_run_here_could(block):
    """It compiles, and what it takes from here is there."""
    for node in ast.walk(ast.parse(block.code)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "spitgraph":
            module = importlib.import_module(node.module)
            assert not [alias.name for alias in node.names if not hasattr(module, alias.name)]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_are_commands(block):
    for words in commands(block):
        if words[0] == "spitgraph":
            build_parser().parse_args(words[1:])
        elif words[0] == "make":
            targets = (ROOT / "Makefile").read_text(encoding="utf8")
            named = [word for word in words[1:] if "=" not in word]
            assert not [word for word in named if not re.search(rf"^{word}:", targets, re.M)]
        elif words[0] == "python" and words[1].endswith(".py"):
            source = (ROOT / words[1]).read_text(encoding="utf8")
            options = [word for word in words[2:] if word.startswith("--")]
            assert not [option for option in options if f'"{option}"' not in source]


@pytest.mark.parametrize("block", RUN, ids=str)
def test_commands_run(block, root, unchecked, capsys):
    for words in commands(block):
        if words[0] == "spitgraph":
            assert main(words[1:]) == 0, words


# ---- links and names -----------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_links_lead_to_files(document):
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf8"))
    local = [link for link in links if "://" not in link]
    missing = [link for link in local if not (document.parent / link).exists()]
    assert not missing


def test_links_named_for_code_lead_to_it():
    """A link whose text is a name and whose target a file: the file defines it."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf8")
        for name, place in re.findall(r"\[`(\w+)`\]\(([^)]+\.py)\)", text):
            tree = ast.parse((document.parent / place).read_text(encoding="utf8"))
            names = {getattr(node, "name", None) for node in tree.body}
            found.append((name, place, name in names))
    assert len(found) > 30 and not [entry for entry in found if not entry[2]]


def test_every_reference_to_the_method_has_its_section():
    method = (ROOT / "docs" / "method.md").read_text(encoding="utf8")
    sections = set(re.findall(r"^#+ ([\d.]+?)\.? ", method, re.M))
    cited = set()
    for path in (ROOT / "spitgraph").rglob("*.py"):
        for listed in re.findall(r"METHOD ([\d., –]+)", path.read_text(encoding="utf8")):
            cited |= set(re.findall(r"\d+(?:\.\d+)?", listed))
    assert cited and cited <= sections, cited - sections


def test_every_public_name_is_in_the_reference():
    pages = (ROOT / "docs" / "api").glob("*.md")
    text = "".join(page.read_text(encoding="utf8") for page in pages)
    whole = set(re.findall(r"^::: (\S+)\n(?!    options:\n      members)", text, re.M))
    parts = {
        f"{module}.{name}"
        for module, names in re.findall(
            r"^::: (\S+)\n    options:\n      members: \[(.+)\]", text, re.M
        )
        for name in names.split(", ")
    }
    packages = {f"spitgraph.{name}" for name in spitgraph._SUBMODULES}
    documented = whole | {name.rpartition(".")[0] for name in parts}
    assert packages <= documented
    missing = {
        name
        for name, module in spitgraph._MODULES.items()
        if module not in whole and f"{module}.{name}" not in parts
    }
    assert missing <= {"UnreadableImageError"}  # where it comes from: spitgraph.decoding
    assert not [name for name in spitgraph.__all__ if f"`{name}`" not in text]


def test_the_table_of_attributes_is_whole():
    table = runpy.run_path(str(ROOT / "tools" / "site" / "attributes.py"))["table"]()
    named = re.findall(r"^\| `(\w+)` \| \[(.+?)\] (\w+) \|", table, re.M)
    expected = [
        (name, attribute.shape.replace(" ", ", "), str(attribute.dtype).removeprefix("torch."))
        for name, attribute in ATTRIBUTES.items()
    ]
    assert named == expected


def test_the_authors_names_are_as_told():
    text = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf8")
    told = text.split("| in the authors' file | here |")[1].split("\n\n")[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in told.splitlines() if "`" in line]
    assert len(rows) == 8
    for names in rows:
        theirs, ours = names[: len(names) // 2], names[len(names) // 2 :]
        assert theirs[0].count("N") == ours[0].count("N")
        name = theirs[0].replace("N", "3")
        whole = name if name.endswith(("weight", "lambda_", "token")) else f"{name}.weight"
        came = rewritten(whole, AUTHORS)
        assert came.removesuffix(".weight") == ours[0].replace("N", "3").removesuffix(".weight")
