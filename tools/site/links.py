"""Pages of the site that are made of files outside docs/, and links that lead to them.

Documents link to each other and to sources as files of the repository, which is how a code-hosting
site reads them. Here the same links lead to pages: README.md is the first one, CONTRIBUTING.md and
others have places of their own, and whatever else is linked becomes a page under `source/`.
"""

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

#: Documents outside docs/ that have a place in the navigation.
PLACES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples.md",
    "docs/README.md": "index.md",  # what it lists, the navigation does
}
#: Kept as they are; all others become pages.
PICTURES = {".jpg", ".png", ".svg"}
#: Names of languages for highlighting.
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".cff": "yaml", "": "make"}
LINK = re.compile(r"(\]\(|\b(?:src|href)=\")([^)#\s\"]+)")
#: A link that says no more than the name of the document that it leads to.
FILE_NAME = re.compile(r"\[([\w/-]+\.md)\]\(([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every file outside docs/ that a page links to."""
    for name, place in PLACES.items():
        if name != "docs/README.md":
            path = str(ROOT / name)
            files.append(File.generated(config, place, abs_src_path=path))
    todo = [ROOT / name for name in PLACES] + sorted(DOCS.rglob("*.md"))
    done = set(todo)
    while todo:
        document = todo.pop()
        for path in linked(document, document.read_text(encoding="utf8")):
            if path in done or place_of(path) is None or not outside(path):
                continue
            done.add(path)
            files.append(page_of(path, config))
            if path.suffix == ".md":
                todo.append(path)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead a page's links to the pages that stand for what they name."""
    source = Path(page.file.abs_src_path or ROOT)
    if page.file.src_uri.startswith("source/") and page.file.abs_src_path is None:
        return markdown  # its links are right already
    here = posixpath.dirname(page.file.src_uri)

    def named(match: re.Match[str]) -> str:
        path = target(source, match[2])
        return f"[{title(path)}]({match[2]}" if path and path.name == match[1] else match[0]

    def led(match: re.Match[str]) -> str:
        path = target(source, match[2])
        place = None if path is None else place_of(path)
        return match[0] if place is None else match[1] + posixpath.relpath(place, here or ".")

    return LINK.sub(led, FILE_NAME.sub(named, markdown))


def title(document: Path) -> str:
    """What a document calls itself."""
    found = re.search(r"^# (.+)$", document.read_text(encoding="utf8"), re.M)
    return found[1] if found else document.name


def linked(document: Path, text: str) -> list[Path]:
    """Files and folders of the repository that a document links to."""
    found = [target(document, link) for _, link in LINK.findall(text)]
    return [path for path in found if path is not None]


def target(document: Path, link: str) -> Path | None:
    """What a relative link names, if it is in the repository."""
    if "://" in link or link.startswith(("/", "mailto:")):
        return None
    path = Path(os.path.normpath(document.parent / link))
    return path if path.exists() and path.is_relative_to(ROOT) else None


def outside(path: Path) -> bool:
    """Whether the site does not have a file by itself."""
    return not path.is_relative_to(DOCS) or path.suffix == ".py"


def place_of(path: Path) -> str | None:
    """Where the site has a file of the repository, as MkDocs names its sources."""
    name = path.relative_to(ROOT).as_posix()
    if name in PLACES:
        return PLACES[name]
    if not outside(path):
        return path.relative_to(DOCS).as_posix()
    if path.suffix in PICTURES:
        return f"source/{name}"
    return f"source/{name}" if path.suffix == ".md" else f"source/{name}.md"


def page_of(path: Path, config: MkDocsConfig) -> File:
    """The page of a file or folder outside docs/."""
    place, kept = str(place_of(path)), InclusionLevel.NOT_IN_NAV
    if path.suffix in {".md", *PICTURES}:
        return File.generated(config, place, abs_src_path=str(path), inclusion=kept)
    text = listing(path) if path.is_dir() else source_code(path)
    head = f"---\nsearch:\n  exclude: true\nhide: [toc]\n---\n# {path.relative_to(ROOT)}\n\n"
    return File.generated(config, place, content=head + text, inclusion=kept)


def listing(folder: Path) -> str:
    """The names in a folder, and the first line of what its modules say of themselves."""
    lines = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__pycache__")):
            continue
        lines.append(f"- `{path.name}{'/' if path.is_dir() else ''}`{first_sentence(path)}\n")
    return "".join(lines)


def first_sentence(path: Path) -> str:
    """What a module or package says that it is."""
    module = path / "__init__.py" if path.is_dir() else path
    if module.suffix != ".py" or not module.exists():
        return ""
    found = re.match(r'"""(.+?)(?:"""|\n)', module.read_text(encoding="utf8"))
    return f": {found[1].strip()}" if found else ""


def source_code(path: Path) -> str:
    """A file's text, highlighted."""
    text = path.read_text(encoding="utf8")
    language = LANGUAGES.get(path.suffix, "text")
    return f"````` {{ .{language} linenums='1' }}\n{text.rstrip()}\n`````\n"
