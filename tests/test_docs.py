"""What the README shows runs, and the documents' links and references lead somewhere."""

import re
import textwrap

import pytest

from helpers.places import REPOSITORY as ROOT

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def code_blocks(path):
    blocks = re.findall(r"^( *)```python\n(.*?)```", path.read_text(encoding="utf8"), re.S | re.M)
    return [textwrap.dedent(code) for _, code in blocks]


@pytest.mark.parametrize("code", code_blocks(ROOT / "README.md"), ids=lambda c: c.split("\n")[0])
def test_the_readme_runs(code, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document):
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf8"))
    local = [link for link in links if "://" not in link]
    missing = [link for link in local if not (document.parent / link).exists()]
    assert not missing


def test_every_reference_to_the_method_has_its_section():
    method = (ROOT / "docs" / "method.md").read_text(encoding="utf8")
    sections = set(re.findall(r"^#+ ([\d.]+?)\.? ", method, re.M))
    cited = set()
    for path in (ROOT / "spitgraph").rglob("*.py"):
        for listed in re.findall(r"METHOD ([\d., –]+)", path.read_text(encoding="utf8")):
            cited |= set(re.findall(r"\d+(?:\.\d+)?", listed))
    assert cited and cited <= sections, cited - sections
