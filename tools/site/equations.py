"""Equations as MathML, made as the site is built: readers need neither a script nor a font."""

import html
import logging
import re

from latex2mathml.converter import convert

log = logging.getLogger(f"mkdocs.hooks.{__name__}")
#: What pymdownx.arithmatex (generic) makes of `$…$`, `$$…$$` and fences of `math`.
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
DISPLAYED = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.S)
#: Characters of TeX that a phone's line has room for, about.
LONG = 45
#: Bars of sizes and norms, around which operators would have room.
BAR = re.compile(r'<mo(?: stretchy="false")?>(&#x0007C;|&#x02016;)</mo>')
#: What is an operator and comes as a letter: the difference of sets, and the prime.
OPERATORS = {"&#x029F5;": "&#x02216;", "&#x02032;": "&#x02032;"}


def on_page_content(content: str, **_: object) -> str:
    """Replace a page's equations in TeX."""
    content = INLINE.sub(inline, content)
    return DISPLAYED.sub(
        lambda found: f'<div class="equation">{mathml(found[1], "block")}</div>', content
    )


def inline(found: re.Match[str]) -> str:
    """An equation amid a line; a long one scrolls where the line is too short for it."""
    made = mathml(found[1], "inline")
    return f'<span class="long-equation">{made}</span>' if len(found[1]) > LONG else made


def mathml(equation: str, display: str) -> str:
    """An equation in TeX, escaped as HTML, as a `math` element."""
    made = convert(html.unescape(equation).strip(), display=display)
    if "\\" in made:
        log.warning("This is TeX that MathML was not made of: %s", equation)
    for letter, operator in OPERATORS.items():
        made = made.replace(f"<mi>{letter}</mi>", f"<mo>{operator}</mo>")
    return BAR.sub(r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', made)
