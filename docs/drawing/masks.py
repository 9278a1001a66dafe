"""The picture of datasets.md: overlapping masks, and the tokens of them."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from drawing.strips import COFFEE, side_by_side
from spitgraph import from_masks, inspection


def draw_masks(out: Path) -> None:
    """Write from-masks.jpg."""
    masks = coffee_masks()
    tokens = from_masks(COFFEE, masks, num_tokens=120)
    borders = inspection.to_pil(inspection.overlay(tokens, scale=2))
    side_by_side([tinted(masks), borders], 400).save(out / "from-masks.jpg", quality=90)


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
