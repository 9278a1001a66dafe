"""What there is to say of two regions that touch: how long their border is, how alike they are."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from spitgraph.checks import one_of
from spitgraph.data import TokenData
from spitgraph.inspection.colouring import lab_of
from spitgraph.pixel_map import stored

#: What edges can be measured by, and what a figure calls it.
EDGE_VALUES = {
    "border": "length of the border, in pixel sides",
    "color": "difference of mean colours, ΔE",
    "vectors": "cosine of token vectors",
}


def edge_values(tokens: TokenData, by: str) -> Float[Tensor, " E"]:
    """A number for every edge, the same in both directions.

    - `"border"`: the length of the shared border, in pixel sides.
    - `"color"`: ΔE, the distance of the mean colours in CIE Lab (D65); 2 is just noticeable.
    - `"vectors"`: the cosine of the token vectors `x`, in [−1, 1].

    Args:
        tokens: One image or a batch.
        by: `"border"`, `"color"` or `"vectors"`.

    Raises:
        ValueError: Another name, or what is asked for is not held.

    Source: ΔE as in CIE 15 (1976).
    """
    one_of(by, EDGE_VALUES, "by")
    if by == "border":
        return stored(tokens, "edge_attr")[:, 0]
    source, target = stored(tokens, "edge_index")
    if by == "color":
        lab = lab_of(stored(tokens, "color"))
        return (lab[source] - lab[target]).norm(dim=1)
    if tokens.x is None:
        raise ValueError("tokens have no vectors: apply an InterpolationExtractor first")
    vectors = tokens.x.detach()
    return cosine_similarity(vectors[source], vectors[target], dim=1)


def undirected(tokens: TokenData, values: Any) -> Float[Tensor, " _"]:
    """Values [E] of directed edges as those of the pairs u < v: the mean of both directions."""
    values = torch.as_tensor(values).detach().double().cpu()
    source, target = stored(tokens, "edge_index").cpu()
    if values.shape != source.shape:
        raise ValueError(
            f"expected a value for each of {len(source)} directed edges, got {list(values.shape)}"
        )
    back = (target * (int(source.max()) + 1) + source).argsort() if len(source) else source
    return ((values + values[back]) / 2)[source < target]
