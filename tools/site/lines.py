"""Names and sections that lead to a line: of the code, and of the method.

A link whose text is a name and whose target a file of Python leads to the line where the file
defines it; on a code-hosting site, to the file. *METHOD 2.4*, as docstrings have it, leads to that
section, and docs/quality.md to that page.
"""

import ast
import posixpath
import re
from functools import cache
from pathlib import Path

from markdown.extensions.toc import slugify
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
#: Links to pages of source code, as links.py makes them.
SOURCE = re.compile(r'(<a href="(?:\.\./)*source/([\w/]+\.py)\.html)("><code>(\w+)</code></a>)')
SECTION = re.compile(r"\bMETHOD (\d+(?:\.\d+)?)")
#: A page, as docstrings name it.
DOCUMENT = re.compile(r"\bdocs/([\w-]+)\.md\b")
#: What is left as it is.
CLOSED = re.compile(r"(<(h[1-6]|a|pre|code|title)\b.*?</\2>)", re.S)


def on_page_content(content: str, page: Page, **_: object) -> str:
    """Lead links to lines, and sections of the method to the method."""
    content = SOURCE.sub(to_line, content)
    method = posixpath.relpath("method.html", posixpath.dirname(page.url) or ".")
    parts, end = [], 0
    for closed in CLOSED.finditer(content):
        parts += [with_sections(content[end : closed.start()], method), closed[0]]
        end = closed.end()
    return "".join([*parts, with_sections(content[end:], method)])


def to_line(found: re.Match[str]) -> str:
    """The link, to the line that defines its name."""
    line = definitions(found[2]).get(found[4])
    return found[0] if line is None else f"{found[1]}#__codelineno-0-{line}{found[3]}"


@cache
def definitions(name: str) -> dict[str, int]:
    """Line of every function and class of a module."""
    tree = ast.parse((ROOT / name).read_text(encoding="utf8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node.lineno for node in tree.body if isinstance(node, kinds)}


def with_sections(text: str, method: str) -> str:
    """Text in which sections of the method are links."""

    def link(found: re.Match[str]) -> str:
        anchor = sections().get(found[1])
        return found[0] if anchor is None else f'<a href="{method}#{anchor}">{found[0]}</a>'

    folder = method.removesuffix("method.html")
    return DOCUMENT.sub(rf'<a href="{folder}\1.html">\g<0></a>', SECTION.sub(link, text))


@cache
def sections() -> dict[str, str]:
    """Number of every section of the method → its anchor."""
    method = (ROOT / "docs" / "method.md").read_text(encoding="utf8")
    heads = re.findall(r"^#+ (([\d.]+?)\.? .+)$", method, re.M)
    return {number: slugify(re.sub(r"[`*]", "", head), "-") for head, number in heads}
