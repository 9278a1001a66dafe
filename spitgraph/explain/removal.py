"""What is removed from an image, step by step, and how the model's answer changes with it.

Two ways: tokens are dropped, which transformers allow exactly, or pixels are filled.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float, Float64, Int64, Shaped
from torch import Tensor

from spitgraph.data import TokenData
from spitgraph.explain.order import descending, leading
from spitgraph.explain.subsets import subset_logits
from spitgraph.nn import SPiT


class Dropping:
    """Tokens are left out, exactly: the model runs on the others as if they were all.

    Args:
        model: In evaluation mode.
        tokens: One image's, with `x` set.
        scores: [N].
        by_pixels: Whether tokens count as their pixels, rather than alike.
        generator: See `descending`.
    """

    def __init__(
        self,
        model: SPiT,
        tokens: TokenData,
        scores: Tensor,
        by_pixels: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        self.model, self.tokens = model, tokens
        self.order = descending(scores, generator)
        sizes = torch.ones_like(self.order)
        if by_pixels:
            sizes = torch.as_tensor(tokens.size).as_subclass(Tensor).to(self.order)[self.order]
        self.sizes = sizes

    def without(self, counts: Int64[Tensor, " m"]) -> Bool[Tensor, "m N"]:
        """[m, N], which tokens are left without so many of the most relevant ones."""
        return ~leading(self.order, counts)

    def only(self, counts: Int64[Tensor, " m"]) -> Bool[Tensor, "m N"]:
        """[m, N], which tokens are there if only so many of the most relevant ones are."""
        return leading(self.order, counts)

    def logits(self, states: Sequence[Any]) -> Float[Tensor, "M classes"]:
        """What the model says of states, one after the other; one packed batch."""
        return subset_logits(self.model, self.tokens, torch.cat(list(states)))


class Filling:
    """Pixels are given the image's mean colour, and the image is tokenized anew.

    So the same is removed whatever the tokens of a model are, which is why models with different
    tokenizers are compared by it. But pictures with such holes are not like those that models were
    trained on, and tokenizers see the holes' borders.

    Pixels of equal value, as those of a token, go by `priority` and then row by row.

    Args:
        model: In evaluation mode.
        image: RGB, float in [0, 1].
        pixel_map: [H, W], a score a pixel.
        priority: [H, W], smaller values first among equal scores; by default, all are alike.
        batch: Pictures that the model reads at once.
    """

    def __init__(
        self,
        model: SPiT,
        image: Float[Tensor, "3 H W"],
        pixel_map: Float[Tensor, "H W"],
        priority: Shaped[Tensor, "H W"] | None = None,
        batch: int = 8,
    ) -> None:
        self.model, self.image, self.batch = model, image, batch
        order = torch.arange(pixel_map.numel(), device=pixel_map.device)
        if priority is not None:
            order = priority.flatten().argsort(stable=True)
        values = pixel_map.flatten()[order]
        self.order = order[values.argsort(descending=True, stable=True)].to(image.device)
        self.sizes = torch.ones_like(self.order)

    def without(self, counts: Int64[Tensor, " m"]) -> list[tuple[int, bool]]:
        """Pictures of which so many of the most relevant pixels are filled; see `picture`."""
        return [(count, True) for count in counts.tolist()]

    def only(self, counts: Int64[Tensor, " m"]) -> list[tuple[int, bool]]:
        """Pictures of which all but so many of the most relevant pixels are filled."""
        return [(count, False) for count in counts.tolist()]

    def picture(self, count: int, fill_them: bool) -> Float[Tensor, "3 H W"]:
        """The image with its most relevant pixels filled, or all others."""
        leading = torch.zeros(self.order.shape, dtype=torch.bool, device=self.order.device)
        leading[self.order[:count]] = True
        return filled(self.image, (leading == fill_them).view(self.image.shape[1:]))

    def logits(self, states: Sequence[Any]) -> Float[Tensor, "M classes"]:
        """What the model says of pictures, one after the other."""
        every = [state for part in states for state in part]
        with torch.no_grad():
            parts = [
                self.model([self.picture(*state) for state in every[start : start + self.batch]])
                for start in range(0, len(every), self.batch)
            ]
        return torch.cat(parts)


#: What is removed from an image, and what the model says of the rest. `sizes` are what each part
#: counts, the most relevant first.
Removal: TypeAlias = Dropping | Filling


def filled(image: Float[Tensor, "3 H W"], where: Bool[Tensor, "H W"]) -> Float[Tensor, "3 H W"]:
    """A picture with its mean colour where it says.

    The mean is taken in float64 of the whole picture, whatever is filled.
    """
    mean = image.double().mean(dim=(1, 2), keepdim=True).clamp(0, 1).to(image.dtype)
    return torch.where(where, mean, image)


def probabilities(logits: Float[Tensor, "M classes"], target: int) -> Float64[Tensor, " M"]:
    """p(target) of each row."""
    return logits.double().softmax(dim=-1)[:, target]
