"""Which parts of an image are left out and put back: its tokens, SLIC regions or the user's own."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from tqdm import tqdm

from spitgraph.data import TokenData
from spitgraph.explain.images import Scores
from spitgraph.explain.pixels import pixels_of
from spitgraph.explain.subsets import PATIENCE, subset_logits
from spitgraph.extras import needs_extra
from spitgraph.nn import SPiT
from spitgraph.tensors import ordered_labels

#: How many SLIC regions are asked for.
SLIC_REGIONS = 64
#: Subsets between two steps of the progress bar, and pictures that are tokenized at once.
SUBSETS_AT_ONCE, PICTURES_AT_ONCE = 32, 8

#: What a model says of a class, of its logits [M, classes].
Reading = Callable[[Tensor], Float[Tensor, " M"]]


class Parts(ABC):
    """Parts of one image, and what a model says of it when only some are there.

    Attributes:
        count: How many.
    """

    count: int

    @abstractmethod
    def logits(self, keep: Bool[Tensor, "M parts"]) -> Float[Tensor, "M classes"]:
        """Logits of M versions of the image."""

    @abstractmethod
    def scores(self, values: Float[Tensor, " parts"], target: int) -> Scores:
        """The parts' scores, as those of tokens and pixels."""

    at_once: int

    def answers(
        self, keep: Bool[Tensor, "M parts"], read: Reading, *, progress: bool
    ) -> Float[Tensor, " M"]:
        """What the model says of the target, of M versions of the image, in float64."""
        order = keep.sum(dim=1).argsort(descending=True, stable=True)  # like sizes together
        values = torch.empty(len(keep), dtype=torch.float64)
        with (
            torch.no_grad(),
            tqdm(total=len(keep), unit="sample", delay=PATIENCE, disable=not progress) as bar,
        ):
            for places in order.split(self.at_once):
                values[places] = read(self.logits(keep[places])).double().cpu()
                bar.update(len(places))
        return values


class Tokens(Parts):
    """The model's own tokens, left out exactly: as if they had never been there."""

    at_once = SUBSETS_AT_ONCE

    def __init__(self, model: SPiT, tokens: TokenData) -> None:
        self.model, self.tokens, self.count = model, tokens, tokens.x.shape[0]

    def logits(self, keep: Bool[Tensor, "M parts"]) -> Float[Tensor, "M classes"]:
        """See `Parts`."""
        return subset_logits(self.model, self.tokens, keep)

    def scores(self, values: Float[Tensor, " parts"], target: int) -> Scores:
        """See `Parts`."""
        return Scores(values.to(self.tokens.x.device), target)


class Areas(Parts):
    """Areas of the picture, filled with its mean colour where left out; it is tokenized anew."""

    at_once = PICTURES_AT_ONCE

    def __init__(self, model: SPiT, tokens: TokenData, labels: Int64[Tensor, "H W"]) -> None:
        self.model, self.tokens, self.labels = model, tokens, labels
        self.count = int(labels.max()) + 1
        height, width = labels.shape
        self.image = pixels_of(tokens).detach().t().reshape(3, height, width)
        self.colour = self.image.mean(dim=(1, 2), keepdim=True)

    def logits(self, keep: Bool[Tensor, "M parts"]) -> Float[Tensor, "M classes"]:
        """See `Parts`."""
        there = keep.to(self.image.device)[:, self.labels]  # [M, H, W]
        pictures = torch.where(there[:, None], self.image, self.colour)
        return self.model.forward_tokens(self.model.tokenize(pictures))

    def scores(self, values: Float[Tensor, " parts"], target: int) -> Scores:
        """See `Parts`; a token's score is the mean over its pixels."""
        per_pixel = values.to(self.image.device)[self.labels]
        sums = per_pixel.new_zeros(len(self.tokens.size))
        sums.index_add_(0, self.tokens.cluster, per_pixel.flatten())
        return Scores(sums / self.tokens.size, target, per_pixel)


def parts_of(model: SPiT, tokens: TokenData, regions: Any) -> Parts:
    """The parts that are asked for.

    Args:
        model: The model, in evaluation mode.
        tokens: One image's tokens.
        regions: `"tokens"`, `"slic"`, or labels [H, W].

    Raises:
        ValueError: None of these, or labels of another size.
        ImportError: scikit-image is missing.
    """
    if isinstance(regions, str) and regions == "tokens":
        return Tokens(model, tokens)
    height, width = tokens.image_size[0].tolist()
    if isinstance(regions, str) and regions == "slic":
        labels = slic_regions(pixels_of(tokens).detach().view(height, width, 3))
    else:
        given = ordered_labels(regions)
        if given is None or [*given.shape] not in ([height, width], [1, height, width]):
            got = repr(regions) if given is None else f"labels {[*given.shape]}"
            raise ValueError(
                f"regions must be 'tokens', 'slic' or labels [{height}, {width}], got {got}"
            )
        labels = given
    _, labels = labels.reshape(height, width).unique(return_inverse=True)
    return Areas(model, tokens, labels.to(tokens.cluster.device))


def slic_regions(image: Float[Tensor, "H W 3"]) -> Int64[Tensor, "H W"]:
    """About `SLIC_REGIONS` superpixels of SLIC (Achanta et al. 2012), by scikit-image."""
    with needs_extra("explain"):
        from skimage.segmentation import slic

    return torch.from_numpy(slic(image.cpu().numpy(), n_segments=SLIC_REGIONS, start_label=0))


def equal_draws(generator: torch.Generator | None) -> Iterator[torch.Generator]:
    """For each of any number of images, a generator in the same state.

    So that what an image draws does not depend on those before it. The one given is used, and has
    moved on by one image's draws in the end; by default, it is a new one of seed 0.
    """
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    start = generator.get_state()
    while True:
        generator.set_state(start)
        yield generator
