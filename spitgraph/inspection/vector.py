"""What a token's vector holds: colour, position and gradient, side by side."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spitgraph.checks import integers
from spitgraph.data import TokenData
from spitgraph.extractors.interpolation.layout import COLOUR, VectorLayout
from spitgraph.extras import needs_extra
from spitgraph.inspection.overlay import image_of, seg_of, to_pil

if TYPE_CHECKING:
    import matplotlib.figure

#: Inches of one panel, and of the titles above them.
PANEL, TITLE, GAP = 2.0, 0.3, 0.08


def unpack_vectors(x: Float[Tensor, "N D"]) -> dict[str, Float[Tensor, "N bins bins"]]:
    """The parts of token vectors by name, as β×β lattices (METHOD 4.4).

    Args:
        x: Vectors of an `InterpolationExtractor`; D is 4β² or 5β².

    Raises:
        ValueError: D is neither, or these are not [N, D].
        TypeError: No tensor.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"expected vectors [N, D], as tokens.x, got {type(x).__name__}")
    if x.dim() != 2:
        raise ValueError(f"expected vectors [N, D], as tokens.x, got {list(x.shape)}")
    layout = VectorLayout.of_length(x.shape[1])
    return {feature: layout.lattice(x, feature) for feature in layout.features}


def plot_token(
    tokens: TokenData, which: SupportsIndex | Iterable[SupportsIndex]
) -> "matplotlib.figure.Figure":
    """Chosen tokens, a row each: the region, and the parts of its vector.

    From left to right the region in its surroundings, its colour patch, its position histogram over
    the image's (padded) square, and its gradient histogram where the vector has one. Histograms are
    drawn from 0 (white) to their own maximum (dark).

    Args:
        tokens: One image, with its pixels and `x`.
        which: Number of a token, or several.

    Raises:
        ValueError: A batch, dropped pixels, nodes that are no longer the image's tokens, no `x`, or
            there is no such token.
        TypeError: No token graph, or `which` are not whole numbers.
        ImportError: Matplotlib is missing.
    """
    with needs_extra("plot"):
        from matplotlib.figure import Figure
    which, image, seg = integers(which, "which"), image_of(tokens).cpu(), seg_of(tokens).cpu()
    if tokens.x is None:
        raise ValueError("tokens have no vectors: apply an InterpolationExtractor first")
    if not which or not all(0 <= token < tokens.num_nodes for token in which):
        raise ValueError(f"tokens are numbered 0 … {tokens.num_nodes - 1}, got {which}")
    lattices = unpack_vectors(tokens.x.detach().cpu())
    colours = torch.stack([lattices.pop(channel) for channel in COLOUR], dim=1)  # [N, 3, β, β]
    titles = ["region", "colour", *lattices]
    width, height = len(titles) * (PANEL + GAP) - GAP, len(which) * (PANEL + GAP) - GAP + TITLE
    figure = Figure(figsize=(width, height), dpi=150)
    for row, token in enumerate(which):
        panels: list[dict[str, Any]] = [
            {"X": surroundings(image, seg == token, tokens.bbox[token].tolist())},
            {"X": to_pil((colours[token] + 1) / 2)},
            *(
                {"X": histogram[token].numpy(), "cmap": "Greys", "vmin": 0}
                for histogram in lattices.values()
            ),
        ]
        for column, panel in enumerate(panels):
            bottom = (len(which) - 1 - row) * (PANEL + GAP) / height
            left = column * (PANEL + GAP) / width
            axes = figure.add_axes((left, bottom, PANEL / width, PANEL / height))
            axes.imshow(interpolation="nearest", aspect="auto", **panel)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                axes.set_title(titles[column])
    return figure


def surroundings(image: Float[Tensor, "3 H W"], own: Bool[Tensor, "H W"], bbox: list[int]) -> Any:
    """A square cut-out around a region as a picture, all but the region faded to grey."""
    x_min, y_min, x_max, y_max = bbox
    side = 2 * max(x_max - x_min, y_max - y_min) + 8
    left = max(0, min((x_min + x_max - side) // 2, image.shape[2] - side))
    top = max(0, min((y_min + y_max - side) // 2, image.shape[1] - side))
    picture = image[:, top : top + side, left : left + side]
    own = own[top : top + side, left : left + side]
    faded = 0.35 * picture.mean(0, keepdim=True) + 0.65
    return to_pil(picture * own + faded * ~own)
