"""The pictures of idea.md: what becomes of an image on its way to the transformer."""

from pathlib import Path

import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    TokenData,
    from_partition,
    inspection,
)
from spitgraph.images import load_image
from spitgraph.inspection import to_pil, unpack_vectors

INK, WHITE = "#22313f", 1.0


def draw_idea(photograph: Path, out: Path) -> None:
    """Write contraction.png, levels.jpg and sequences.jpg."""
    small = Image.open(photograph).convert("RGB").resize((30, 20), Image.Resampling.BOX)
    contraction(small).savefig(out / "contraction.png")
    tokens = SuperpixelTokenizer(levels=6)(photograph)
    strip = inspection.plot_hierarchy(tokens, (0, 4, 5, 6))
    strip.savefig(out / "levels.jpg", pil_kwargs={"quality": 88})
    square = Image.open(photograph).convert("RGB").crop((60, 0, 460, 400)).resize((224, 224))
    sequences(load_image(square)).savefig(out / "sequences.jpg", pil_kwargs={"quality": 90})


# ---- the graph, level by level -------------------------------------------------------------------


def contraction(picture: Image.Image) -> Figure:
    """A tiny picture's graph of pixels, and what each of three steps makes of it."""
    tokens = SuperpixelTokenizer(levels=3)(picture)
    pixels = torch.arange(picture.width * picture.height).view(picture.height, picture.width)
    levels = [from_partition(picture, pixels), *(tokens.to_level(level) for level in (1, 2, 3))]
    panel = 3.2, 3.2 * picture.height / picture.width
    figure = Figure(figsize=(2 * panel[0] + 0.1, 2 * (panel[1] + 0.32)), dpi=170)
    for place, level in enumerate(levels):
        row, column = divmod(place, 2)
        width, height = figure.get_size_inches()
        bottom = (1 - row) * (panel[1] + 0.32) / height
        axes = figure.add_axes(
            (column * (panel[0] + 0.1) / width, bottom, panel[0] / width, panel[1] / height)
        )
        name = "pixels" if place == 0 else "regions"
        title = f"level {place} · {level.num_nodes} {name}, {level.num_edges // 2} edges"
        axes.set_title(title, fontsize=9, color=INK)
        draw_graph(axes, level)
    return figure


def draw_graph(axes, tokens: TokenData) -> None:
    """Regions in their mean colours, and their graph over them."""
    faded = 0.6 * WHITE + 0.4 * inspection.mean_colors(tokens)
    axes.imshow(to_pil(faded), interpolation="nearest")
    axes.set_axis_off()
    once = tokens.edge_index[0] < tokens.edge_index[1]
    ends = tokens.pos[tokens.edge_index[:, once]].transpose(0, 1)
    axes.add_collection(LineCollection(ends.numpy(), colors=INK, linewidths=0.6, alpha=0.8))
    x, y = tokens.pos.T.numpy()
    sizes = 5 * tokens.size.float().sqrt().clamp(max=9)
    colors = tokens.color.numpy()
    axes.scatter(x, y, s=sizes.numpy(), c=colors, edgecolors=INK, linewidths=0.4, zorder=2)


# ---- what a transformer reads --------------------------------------------------------------------


def sequences(image: Tensor) -> Figure:
    """196 patches and 196 superpixels of a picture, and what a transformer is given of each."""
    extract = InterpolationExtractor(16, mean=(0, 0, 0), std=(1, 1, 1))
    figure = Figure(figsize=(8.4, 4.6), dpi=150)
    tokenizers = PatchTokenizer(16), SuperpixelTokenizer(num_tokens=196)
    for column, tokenize in enumerate(tokenizers):
        tokens = extract(tokenize(image))
        cut = to_pil(inspection.overlay(tokens, scale=3))
        name = "square patches" if column == 0 else "superpixels"
        for half, (picture, title) in enumerate(
            ((cut, f"196 {name}"), (to_pil(colours(tokens)), "colours of the tokens, in order"))
        ):
            axes = figure.add_axes((0.005 + 0.5 * column + 0.25 * half, 0, 0.24, 0.92))
            axes.imshow(picture)
            axes.set_axis_off()
            axes.set_title(title, fontsize=8, color=INK)
    figure.set_size_inches(8.4, 2.25)
    return figure


def colours(tokens: TokenData) -> Tensor:
    """The colour part of every token's vector, 14 in a row, white between them."""
    lattices = unpack_vectors(tokens.x)
    parts = torch.stack([lattices[name] for name in ("red", "green", "blue")], 1)  # [N, 3, β, β]
    parts = pad(parts.clamp(0, 1), (1, 1, 1, 1), value=WHITE)
    rows = parts.unflatten(0, (14, 14)).permute(2, 0, 3, 1, 4)  # [3, row, y, column, x]
    return rows.reshape(3, 14 * parts.shape[2], 14 * parts.shape[3])
