"""Names in code lead to the reference: `explain.rollout` in a guide is a link to what it is.

Docstrings and guides name things as code between backticks. Where such a name is public it becomes
a cross-reference; what it leads to is found by mkdocs-autorefs, which leaves it alone otherwise.
"""

import ast
import logging
import re
import zlib
from functools import cache
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

PACKAGE = Path(__file__).resolve().parents[2] / "spitgraph"
#: What holds no references: headings, links, blocks of code, and where there are some already.
CLOSED = re.compile(r"(<(h[1-6]|a|pre|autoref)\b.*?</\2>)", re.S)
log = logging.getLogger(f"mkdocs.hooks.{__name__}")
NAME = re.compile(r"<code>([A-Za-z_][\w.]*)(\(\))?</code>")


def on_page_content(content: str, **_: object) -> str:
    """Make references of the public names on a page."""
    parts, end = [], 0
    for closed in CLOSED.finditer(content):
        parts += [NAME.sub(reference, content[end : closed.start()]), closed[0]]
        end = closed.end()
    return "".join([*parts, NAME.sub(reference, content[end:])])


def on_post_build(config: MkDocsConfig) -> None:
    """Warn of public names that the reference lacks; a strict build fails then."""
    content = Path(config.site_dir, "objects.inv").read_bytes()
    lines = zlib.decompress(content.split(b"zlib.\n", 1)[1]).decode("utf8").splitlines()
    there = {line.split()[0] for line in lines}
    packages = {path.rpartition(".")[0] for path in there}
    wanted = {path for path in public_names().values() if path.rpartition(".")[0] in packages}
    wanted |= {f"{module}.{name}" for name, module in top_level().items()}
    for path in sorted(wanted - there):
        if not path.rpartition(".")[2].isupper():  # constants have no docstrings
            log.warning("The reference has no %s", path)


def reference(found: re.Match[str]) -> str:
    """A reference in place of a name, if it is one of ours."""
    name = found[1].removeprefix("spitgraph.")
    first, _, rest = name.partition(".")
    known = public_names()
    if name in known:
        path = known[name]
    elif rest and first in known and first[0].isupper():  # a member of a class
        path = f"{known[first]}.{rest}"
    else:
        return found[0]
    return f'<autoref identifier="{path}" optional>{found[0]}</autoref>'


@cache
def public_names() -> dict[str, str]:
    """Name as documents have it → its path in the reference.

    Short names that are plain words (`attention`, `compactness`) are words more often than names.
    """
    known: dict[str, str] = {}
    for package in sorted(PACKAGE.glob("*/__init__.py")):
        module = package.parent.name
        for name in exported(package):
            path = f"spitgraph.{module}.{name}"
            known[f"{module}.{name}"] = path
            if name[0].isupper() or "_" in name:
                known.setdefault(name, path)
    known |= {name: f"{module}.{name}" for name, module in top_level().items()}
    return known | {name: f"spitgraph.images.{name}" for name in ("load_image", "load_images")}


def exported(package: Path) -> list[str]:
    """What a package's `__all__` lists."""
    for node in ast.parse(package.read_text(encoding="utf8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def top_level() -> dict[str, str]:
    """The names of `spitgraph` itself, and where they live."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODULES":
            return ast.literal_eval(node.value)
    raise ValueError("spitgraph/__init__.py has no _MODULES")
