"""The pictures of inspection.md: figures of tokens."""

from pathlib import Path

import torch
from PIL import Image

from drawing.strips import CHELSEA, COFFEE, as_picture, side_by_side
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    inspection,
)


def draw_figures(out: Path) -> None:
    """Write comparison.jpg, statistics.png, stability.png, values.jpg and tree.png."""
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
