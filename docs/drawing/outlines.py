"""The picture of vectorize.md: borders as vectors."""

from io import BytesIO
from pathlib import Path

import resvg_py
from PIL import Image

from drawing.strips import COFFEE, side_by_side
from spitgraph import SuperpixelTokenizer, inspection

#: What is drawn large of the coffee, and how large.
DETAIL, LARGE = (300, 215, 380, 275), 6


def draw_outlines(out: Path) -> None:
    """Write vectorize.png: borders as traced, simplified, and smooth as well, drawn large.

    The whole of the last is beside them.
    """
    tokens = SuperpixelTokenizer(num_tokens=300, quality="fine")(COFFEE)
    ways = ({}, {"simplify": 2.0}, {"simplify": 2.0, "smooth": True})
    texts = [inspection.svg(tokens, **way) for way in ways]
    box = tuple(LARGE * edge for edge in DETAIL)
    shown = [drawn(texts[-1], 2), *(drawn(text, LARGE).crop(box) for text in texts)]
    side_by_side(shown, 360).quantize(256).save(out / "vectorize.png", optimize=True)


def drawn(svg: str, scale: int) -> Image.Image:
    width = scale * Image.open(COFFEE).width
    return Image.open(BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=width)))).convert(
        "RGB"
    )
