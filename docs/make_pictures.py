"""Draws the pictures of the documentation: python docs/make_pictures.py"""

from io import BytesIO
from pathlib import Path

from PIL import Image

from spitgraph import InterpolationExtractor, SuperpixelTokenizer, inspection

DOCS = Path(__file__).resolve().parent
COFFEE = DOCS.parent / "examples" / "pictures" / "coffee.jpg"
CHELSEA = DOCS.parent / "examples" / "pictures" / "chelsea.jpg"

#: What is drawn large of the coffee, and how large.
DETAIL, LARGE = (300, 215, 380, 275), 6


def as_picture(figure) -> Image.Image:
    file = BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")


def side_by_side(pictures: list[Image.Image], height: int, gap: int = 12) -> Image.Image:
    scaled = [p.resize((round(p.width * height / p.height), height)) for p in pictures]
    strip = Image.new("RGB", (sum(p.width + gap for p in scaled) - gap, height), "white")
    left = 0
    for picture in scaled:
        strip.paste(picture, (left, 0))
        left += picture.width + gap
    return strip


def main() -> None:
    out = DOCS / "pictures"
    out.mkdir(exist_ok=True)
    tokens = InterpolationExtractor()(SuperpixelTokenizer(num_tokens=256)(COFFEE))
    borders = inspection.to_pil(inspection.overlay(tokens, scale=2))
    graph = as_picture(inspection.plot_graph(tokens))
    side_by_side([borders, graph], 480).save(out / "tokens.jpg", quality=90)
    coffee, spoon, wood = (
        int(tokens.seg[0, y, x]) for x, y in ((290, 165), (372, 290), (560, 300))
    )
    inspection.plot_token(tokens, [coffee, spoon, wood]).savefig(out / "vectors.png")
    by_rule = [SuperpixelTokenizer(num_tokens=256, quality=q)(CHELSEA) for q in ("fast", "fine")]
    halves = [inspection.to_pil(inspection.overlay(tokens, scale=2)) for tokens in by_rule]
    side_by_side(halves, 400).save(out / "rules.jpg", quality=90)
    vectors(out / "vectorize.png")


def vectors(place: Path) -> None:
    """Borders as traced, simplified, and smooth as well, drawn large; and the whole of the last."""
    tokens = SuperpixelTokenizer(num_tokens=300, quality="fine")(COFFEE)
    ways = ({}, {"simplify": 2.0}, {"simplify": 2.0, "smooth": True})
    texts = [inspection.svg(tokens, **way) for way in ways]
    box = tuple(LARGE * edge for edge in DETAIL)
    shown = [drawn(texts[-1], 2), *(drawn(text, LARGE).crop(box) for text in texts)]
    side_by_side(shown, 360).quantize(256).save(place, optimize=True)


def drawn(svg: str, scale: int) -> Image.Image:
    import resvg_py

    width = scale * Image.open(COFFEE).width
    return Image.open(BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=width)))).convert(
        "RGB"
    )


if __name__ == "__main__":
    main()
