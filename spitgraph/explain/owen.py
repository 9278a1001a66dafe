"""Owen values: Shapley values of tokens that enter together with those they belong to."""

from typing import Any, SupportsIndex

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from spitgraph.checks import boolean, instance, integer, one_of
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.coalitions import token_tree, tree_above
from spitgraph.explain.games import owen_values
from spitgraph.explain.images import OUTPUTS, Scores, explained
from spitgraph.explain.pixels import predicted
from spitgraph.explain.regions import equal_draws
from spitgraph.explain.subsets import subset_logits
from spitgraph.hierarchy import Hierarchy
from spitgraph.nn import SPiT


def owen(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    tree: Hierarchy | None = None,
    n_samples: SupportsIndex = 512,
    output: str = "probability",
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> Attribution | list[Attribution]:
    """Owen values along a tree of regions, adding up to f(image) − f(no token).

    The mean of f(S ∪ {i}) − f(S) over all orders in which the tokens of every region of the tree
    come one after the other, S being those before token i. Where there is no region but the image,
    these are Shapley values. Tokens that are not in S are dropped, exactly.

    Where `n_samples` cover them, all that the values depend on is evaluated, and they are exact;
    otherwise orders are drawn, level by level; see `owen_values`.

    Args:
        model: A `SPiT`.
        image: One image, as `load_images` takes it, or its tokens; or a batch or list of them.
        target: A class, the predicted one by default; of several images, one for all or one each.
        tree: Over the tokens, or over the pixels with the tokens as one of its levels, such as the
            `tree` of the same image tokenized with more levels; by default, the tokens' graph is
            contracted further (`token_tree`).
        n_samples: Subsets of the tokens that are evaluated, beside all and none.
        output: `"logit"` or `"probability"` of the target.
        generator: What orders are drawn from, for each image from the same state; by default, one
            of seed 0.
        progress: Whether a progress bar is shown when it takes long.

    Returns:
        Scores of either sign. A list for a batch or list.

    Raises:
        ValueError: An argument is outside its range, there is no such class, or the tree is of
            other tokens.

    Source:
        Owen, Values of Games with a Priori Unions (1977), for one level of regions; Winter, A Value
        for Cooperative Games with Levels Structure of Cooperation (1989), for nested ones.
    """
    read = OUTPUTS[one_of(output, OUTPUTS, "output")]
    samples, progress = integer(n_samples, "n_samples"), boolean(progress, "progress")
    draws = equal_draws(generator)
    if tree is not None:
        instance(tree, Hierarchy, "tree", "a Hierarchy")

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        target_class = predicted(spit, tokens, wanted)

        def value(keep: Tensor) -> Float64[Tensor, " M"]:
            logits = subset_logits(spit, tokens, keep, progress=progress)
            return read(logits.double())[:, target_class].cpu()

        over = token_tree(tokens) if tree is None else tree_above(tree, tokens)
        values = owen_values(value, over.to(torch.device("cpu")), samples, next(draws))
        return Scores(values.to(tokens.x.device, tokens.x.dtype), target_class)

    return explained(model, image, target, "owen", method)
