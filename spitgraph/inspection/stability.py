"""The stability card: which tokens an image keeps when it changes a little."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from spitgraph.checks import instance
from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.images import ImageLike, load_image
from spitgraph.inspection.changes import CHANGES, Change
from spitgraph.inspection.overlay import seg_of
from spitgraph.metrics import (
    achievable_segmentation_accuracy,
    boundary_recall,
    explained_variation,
    segmentation_covering,
    variation_of_information,
)
from spitgraph.metrics.label_maps import checked

if TYPE_CHECKING:
    import pandas

#: Columns of the table, after the number of tokens.
MEASURES = ("covering", "accuracy", "boundary_recall", "information", "explained_variation")
#: Pixels within which a border counts as found.
RADIUS = 2
#: The row of what chance gives, and places that it is the mean of.
CHANCE, PLACES = "chance", 8


def stability(
    image: ImageLike,
    tokenizer: Callable[[Float32[Tensor, "3 _h _w"]], Any],
    *,
    generator: torch.Generator | None = None,
) -> "pandas.DataFrame":
    """How much the tokens of an image overlap with those of the image changed a little.

    A row a change: the same again (below 1 where the tokenizer draws lots), one pixel to the right
    and down, mirrored, JPEG at two qualities, Gaussian noise of two strengths, half the size and
    back, 0.9 of the size, brighter, of less contrast, and by another gamma. Tokens of the changed
    image are brought back to the pixels of the image (mirrored back, for instance), and compared
    with its own:

    - `tokens`: their number in the changed image.
    - `covering`: `segmentation_covering`, each region's intersection over union with the one most
      like it; mean of both directions.
    - `accuracy`: `achievable_segmentation_accuracy`; mean of both directions.
    - `boundary_recall`: within 2 pixels; mean of both directions.
    - `information`: `variation_of_information`, in bits; lower is better.
    - `explained_variation`: how much of the colour variance of the image itself they explain.

    The last row, `chance`, is what two unrelated partitions of these shapes and sizes would reach:
    the tokens against themselves, displaced at random on the torus (of 8 places, the mean). Where
    regions do not depend on the image, as those of patches, most changes change nothing: only
    `explained_variation` says whether there was anything to keep.

    Args:
        image: One image, as `load_image` takes it.
        tokenizer: Makes tokens of an image [3, H, W]: a `Tokenizer`, or any function that gives
            `TokenData` or a label map [H, W].
        generator: Of noise and places; None for one that begins with the same seed in every call,
            so that tokenizers see the same noise.

    Raises:
        ValueError: No image; tokens or a label map that are not the image's.
        TypeError: No generator, or the tokenizer gives neither.
        ImportError: Pandas is missing.

    Source: displacement on the torus as in Lotwick & Silverman (1982); measures where they are.
    """
    with needs_extra("plot"):
        import pandas
    picture = load_image(image).detach()
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    instance(generator, torch.Generator, "generator", "a torch.Generator or None")
    own = labels_of(tokenizer(picture), picture)
    rows = {
        name: row_of(change, picture, own, tokenizer, generator) for name, change in CHANGES.items()
    }
    rows[CHANCE] = chance(picture, own, generator)
    return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("change")


def row_of(
    change: Change,
    image: Float32[Tensor, "3 H W"],
    own: Int64[Tensor, "H W"],
    tokenizer: Callable[[Float32[Tensor, "3 _h _w"]], Any],
    generator: torch.Generator,
) -> dict[str, float]:
    """How the tokens fare under one change; NaN where no pixel is left to compare."""
    changed = change.apply(image, generator)
    labels = labels_of(tokenizer(changed), changed)
    count = {"tokens": float(len(labels.unique()))}
    if own[change.kept].numel() == 0:
        return count | dict.fromkeys(MEASURES, float("nan"))
    restored = change.restore(labels, (own.shape[0], own.shape[1]))
    rows, columns = change.kept
    kept = image[:, rows, columns]
    return count | compared(kept, own[rows, columns], restored[rows, columns])


def compared(
    image: Float32[Tensor, "3 H W"], own: Int64[Tensor, "H W"], other: Int64[Tensor, "H W"]
) -> dict[str, float]:
    """The measures of two partitions of an image."""
    both = [(own, other), (other, own)]
    return {
        "covering": sum(segmentation_covering(*pair) for pair in both) / 2,
        "accuracy": sum(achievable_segmentation_accuracy(*pair) for pair in both) / 2,
        "boundary_recall": sum(boundary_recall(*pair, radius=RADIUS) for pair in both) / 2,
        "information": variation_of_information(own, other),
        "explained_variation": explained_variation(other, image),
    }


def chance(
    image: Float32[Tensor, "3 H W"], own: Int64[Tensor, "H W"], generator: torch.Generator
) -> dict[str, float]:
    """The measures of the tokens against themselves elsewhere."""
    found = []
    for _ in range(PLACES):
        shifts = [
            int(torch.randint(side, (), generator=generator, device=generator.device))
            for side in own.shape
        ]
        found.append(compared(image, own, own.roll(shifts, dims=(0, 1))))
    means = {measure: sum(row[measure] for row in found) / PLACES for measure in MEASURES}
    return {"tokens": float(len(own.unique())), **means}


def labels_of(made: Any, image: Float32[Tensor, "3 H W"]) -> Int64[Tensor, "H W"]:
    """The label map that a tokenizer made of an image."""
    labels = (
        seg_of(made) if isinstance(made, TokenData) else checked(made, "the tokenizer's labels")
    )
    if labels.shape != image.shape[1:]:
        raise ValueError(
            f"expected tokens of {list(image.shape[1:])} pixels, got {list(labels.shape)}: "
            "the tokenizer must label every pixel of the image that it is given"
        )
    return labels.to(image.device)
