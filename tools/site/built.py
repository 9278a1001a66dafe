"""The site as built: no page fetches anything from elsewhere, every link leads somewhere.

MkDocs checks what documents link to; this checks what the other hooks made of that, too. What is
wrong is a warning, which fails a strict build.
"""

import html
import logging
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig

log = logging.getLogger(f"mkdocs.hooks.{__name__}")
#: What a browser fetches by itself. Links that are clicked are not.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|icon|preload|preconnect))"""
    r"""[^>]*\bhref=["']?((?:https?:)?//[^"'\s>]+)"""
)
#: The same in style sheets.
IMPORTED = re.compile(r"""(?:url\(|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")
LINK = re.compile(r"""<a\b[^>]*\bhref=(?:"([^"]*)"|([^\s>]+))""")
ANCHOR = re.compile(r"""\b(?:id|name)=(?:"([^"]*)"|([^\s>]+))""")


def on_post_build(config: MkDocsConfig) -> None:
    """Look through all pages and style sheets."""
    site = Path(config.site_dir)
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site)
        if path.suffix == ".css":
            for found in IMPORTED.finditer(path.read_text(encoding="utf8")):
                log.warning("%s fetches %s", name, found[1])
        elif path.suffix == ".html" and name.name != "404.html":  # whose links are absolute
            text = path.read_text(encoding="utf8")
            for found in FETCHED.finditer(text):
                log.warning("%s fetches %s", name, found[1] or found[2])
            for link in sorted({html.unescape(one or two) for one, two in LINK.findall(text)}):
                if not leads_somewhere(path, link):
                    log.warning("%s links to %s, and there is no such place", name, link)


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a page's link leads to a file, and to a place in it; other hosts aside."""
    if re.match(r"[a-z]+:", link):
        return True
    place, _, anchor = unquote(link).partition("#")
    there = page if place in ("", ".") else (page.parent / place).resolve()
    if not there.is_file():
        return False
    return not anchor or there.suffix != ".html" or anchor in anchors(there)


@cache
def anchors(page: Path) -> set[str]:
    """The names of places in a page."""
    found = ANCHOR.findall(page.read_text(encoding="utf8"))
    return {html.unescape(one or two) for one, two in found}
