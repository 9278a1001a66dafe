"""The file of a page: a template, with style, scripts and data in it."""

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from spitgraph.inspection.page.picture import Picture

#: In the order in which they run.
SCRIPTS = (
    *("inflate", "decode", "colours", "partition", "layers", "stage", "panel", "pins"),
    *("controls", "main"),
)
#: Characters that would end a script, or a line of one, wherever they stand.
UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def filled(about: dict[str, Any], picture: Picture, pieces: list[bytes]) -> str:
    """The template with everything in it."""
    style, script = stylesheet(), program()
    return template().render(
        about=about,
        data=as_json(about),
        style=style,
        script=script,
        style_hash=hash_of(style),
        script_hash=hash_of(script),
        picture=f"data:{picture.kind};base64,{b64encode(picture.content).decode()}",
        pieces=[b64encode(piece).decode() for piece in pieces],
    )


def as_json(value: Any) -> str:
    """JSON that is safe between the tags of a script.

    ASCII alone, so that neither U+2028 nor half a surrogate pair stands in it.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(UNSAFE)


def hash_of(text: str) -> str:
    """What a content security policy calls an inline script or style by."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def fixed_size() -> int:
    """Bytes of every page: template, style and scripts."""
    return sum(len(text.encode()) for text in (asset("page.html"), stylesheet(), program()))


@cache
def program() -> str:
    """All scripts as one, with a scope of its own."""
    parts = [without_margins(asset(f"{name}.js")) for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "\n})();"


@cache
def stylesheet() -> str:
    """The style, and nothing that only its readers need."""
    return without_margins(asset("page.css"))


def without_margins(text: str) -> str:
    """Lines without indentation; those that are empty or comments (`//`) are left out."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


@cache
def asset(name: str) -> str:
    """A file that belongs to the page."""
    return (files("spitgraph.inspection.page") / "assets" / name).read_text(encoding="utf-8")


@cache
def template() -> Any:
    """The template of the page; whatever is filled in is text there, but style and scripts."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(asset("page.html"))
