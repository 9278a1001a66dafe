"""What a TokenData holds, said once: storage, batches, operators and reports follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


class NotHeldError(ValueError, AttributeError):
    """A graph does not hold what was asked for, or no longer holds it for these nodes.

    A `ValueError`, as of any argument that does not fit; an `AttributeError` too, so that `hasattr`
    and `getattr` with a default give their answers.
    """


#: What the letters of a shape count, of which a batch has the sum over its images.
COUNTS = {
    "N": "tokens",
    "E": "directed edges",
    "P": "pixels",
    "B": "images",
    "L": "levels",
    "M": "regions below the tokens",
}


@dataclass(frozen=True)
class Attribute:
    """One attribute.

    Attributes:
        shape: Its dimensions; one is a letter of `COUNTS`, along which images follow one another.
        dtype: Its type.
        meaning: What it is.
        numbers: Whether it holds numbers of tokens, which go on from image to image in a batch.
    """

    shape: str
    dtype: torch.dtype
    meaning: str
    numbers: bool = False

    @cached_property
    def counts(self) -> str:
        """The letter of what there is one entry for."""
        return next(dim for dim in self.shape.split() if dim in COUNTS)

    @property
    def dim(self) -> int:
        """The dimension along which the images of a batch follow one another."""
        return self.shape.split().index(self.counts)

    def empty(self, counts: Mapping[str, int | torch.SymInt], like: Tensor) -> Tensor:
        """A tensor of this shape and type, not initialised, on the device of another."""
        shape = [counts[dim] if dim in counts else int(dim) for dim in self.shape.split()]
        return like.new_empty(shape, dtype=self.dtype)


ATTRIBUTES = {
    "x": Attribute("N D", torch.float32, "token vectors, once an extractor has set them"),
    "edge_index": Attribute(
        "2 E", torch.int64, "both directions, sorted, no self-loops", numbers=True
    ),
    "edge_attr": Attribute("E 1", torch.float32, "length of the shared border in pixel sides"),
    "pos": Attribute("N 2", torch.float32, "centroid (x, y) in pixels"),
    "size": Attribute("N", torch.int64, "pixels"),
    "bbox": Attribute("N 4", torch.int64, "(x_min, y_min, x_max, y_max), max exclusive"),
    "color": Attribute("N 3", torch.float32, "mean RGB"),
    "cluster": Attribute("P", torch.int64, "token of each pixel", numbers=True),
    "pixels": Attribute("P 3", torch.float32, "RGB in [0, 1]"),
    "image_size": Attribute("B 2", torch.int64, "(H, W)"),
    "hierarchy": Attribute("M", torch.int64, "parent maps one after the other"),
    "level_sizes": Attribute("L", torch.int64, "their lengths"),
    "num_levels": Attribute("B", torch.int64, "T"),
    "token": Attribute("N", torch.int64, "its number, which PyG keeps with it", numbers=True),
}

#: Attributes of the tokens.
OF_TOKENS = tuple(name for name, attribute in ATTRIBUTES.items() if attribute.counts == "N")

#: Attributes of which each image has one.
OF_IMAGES = tuple(name for name, attribute in ATTRIBUTES.items() if attribute.counts == "B")

#: Attributes of neither the tokens nor the edges of the graph.
NOT_OF_THE_GRAPH = frozenset(
    name for name, attribute in ATTRIBUTES.items() if attribute.counts not in "NE"
)


def documented() -> str:
    """The table as a docstring has it."""
    lines = [
        f"        {name}: [{attribute.shape.replace(' ', ', ')}] "
        f"{str(attribute.dtype).removeprefix('torch.')}, {attribute.meaning}."
        for name, attribute in ATTRIBUTES.items()
    ]
    counts = ", ".join(f"{letter} {what}" for letter, what in COUNTS.items())
    return "\n".join([f"    Attributes, of {counts}:", *lines])
