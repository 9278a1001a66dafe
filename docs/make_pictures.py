"""Draws the pictures of the documentation: python docs/make_pictures.py"""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from spitgraph import InterpolationExtractor, SuperpixelTokenizer, from_masks, inspection

DOCS = Path(__file__).resolve().parent
COFFEE = DOCS.parent / "examples" / "pictures" / "coffee.jpg"
CHELSEA = DOCS.parent / "examples" / "pictures" / "chelsea.jpg"


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


def coffee_masks() -> list[np.ndarray]:
    """Overlapping masks as a model might give them: saucer, cup, coffee, spoon.

    The saucer's has a hole where the handle is.
    """
    saucer, cup, coffee, spoon, handle = (Image.new("1", Image.open(COFFEE).size) for _ in range(5))
    ImageDraw.Draw(saucer).ellipse((78, 62, 480, 386), fill=1)
    ImageDraw.Draw(cup).ellipse((173, 18, 421, 205), fill=1)
    ImageDraw.Draw(cup).polygon(
        (176, 130, 208, 228, 262, 252, 330, 248, 390, 215, 420, 120), fill=1
    )
    ImageDraw.Draw(coffee).ellipse((206, 95, 374, 195), fill=1)
    ImageDraw.Draw(spoon).ellipse((326, 243, 406, 323), fill=1)
    ImageDraw.Draw(handle).ellipse((188, 228, 262, 312), fill=1)
    masks = [np.array(mask) for mask in (saucer, cup, coffee, spoon)]
    masks[0] &= ~np.array(handle)
    return masks


def tinted(masks: list[np.ndarray]) -> Image.Image:
    """The picture under its masks, each of a colour."""
    picture = np.array(Image.open(COFFEE).convert("RGB"), float)
    colours = ((230, 60, 60), (60, 160, 230), (240, 200, 40), (70, 200, 90))
    for mask, colour in zip(masks, colours, strict=True):
        picture[mask] = 0.5 * picture[mask] + 0.5 * np.array(colour)
    return Image.fromarray(picture.astype(np.uint8))


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
    masks = coffee_masks()
    tokens = from_masks(COFFEE, masks, num_tokens=120)
    borders = inspection.to_pil(inspection.overlay(tokens, scale=2))
    side_by_side([tinted(masks), borders], 400).save(out / "from-masks.jpg", quality=90)


if __name__ == "__main__":
    main()
