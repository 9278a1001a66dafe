"""Draws the pictures of the documentation: python docs/make_pictures.py"""

from io import BytesIO
from pathlib import Path

import torch
from PIL import Image

from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    inspection,
)

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
    inspected(out)


def inspected(out: Path) -> None:
    """The figures of docs/inspection.md."""
    makers = {
        "superpixels": SuperpixelTokenizer(num_tokens=130),
        "fine superpixels": SuperpixelTokenizer(num_tokens=130, quality="fine"),
        "patches": PatchTokenizer(32),
        "Voronoi cells": voronoi,
    }
    named = {name: make(CHELSEA) for name, make in makers.items()}
    compared = as_picture(inspection.plot_comparison(named))
    smaller(compared, 1500).save(out / "comparison.jpg", quality=80)
    save_small(as_picture(inspection.plot_statistics(named)), out / "statistics.png")
    tables = {name: inspection.stability(CHELSEA, make) for name, make in makers.items()}
    save_small(as_picture(inspection.plot_stability(tables)), out / "stability.png")

    tokens = InterpolationExtractor()(SuperpixelTokenizer(num_tokens=256)(COFFEE))
    colours = inspection.to_pil(inspection.random_colors(tokens))
    values = as_picture(inspection.plot_values(tokens, "compactness", log=True))
    edges = as_picture(inspection.plot_graph(tokens, weights="color"))
    side_by_side([colours, values, edges], 360).save(out / "values.jpg", quality=82)
    tree = as_picture(inspection.plot_tree(SuperpixelTokenizer(num_tokens=24)(COFFEE)))
    save_small(tree, out / "tree.png")


def voronoi(image):
    """The same cells in every picture."""
    return VoronoiTokenizer(130, generator=torch.Generator().manual_seed(0))(image)


def smaller(picture: Image.Image, width: int) -> Image.Image:
    return picture.resize((width, round(picture.height * width / picture.width)))


def save_small(picture: Image.Image, path: Path) -> None:
    picture.quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    main()
