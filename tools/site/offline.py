"""The site asks no other host for anything: a page that would is warned of, and fails the build."""

import logging
import re
from pathlib import Path

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


def on_post_build(config: MkDocsConfig) -> None:
    """Look through all pages and style sheets."""
    for path in sorted(Path(config.site_dir).rglob("*")):
        if path.suffix not in {".html", ".css"}:
            continue
        pattern = FETCHED if path.suffix == ".html" else IMPORTED
        for found in pattern.finditer(path.read_text(encoding="utf8")):
            address = next(filter(None, found.groups()))
            log.warning("%s fetches %s", path.relative_to(config.site_dir), address)
