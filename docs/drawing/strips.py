"""What pictures are drawn of, and how they are laid beside each other."""

from io import BytesIO
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent.parent
PHOTOGRAPHS = DOCS.parent / "examples" / "pictures"
COFFEE, CHELSEA = PHOTOGRAPHS / "coffee.jpg", PHOTOGRAPHS / "chelsea.jpg"


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
