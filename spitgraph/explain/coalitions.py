"""Which tokens belong together: a tree over them, level by level."""

import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph.contraction.graph import RegionGraph, quantise
from spitgraph.contraction.hierarchy import contract_once
from spitgraph.data import TokenData
from spitgraph.hierarchy import Hierarchy
from spitgraph.modes import exact_device
from spitgraph.pixels import comparison_features
from spitgraph.settings import Settings


def token_tree(tokens: TokenData) -> Hierarchy:
    """The tokens of one image merged further, until one region is left: its leaves are the tokens.

    Contraction (METHOD 2) goes on where the tokens are: regions that touch, by their mean colour in
    Lab. So squares and cells have a tree as well as superpixels. Parts that nothing connects are
    left apart at the top.

    Args:
        tokens: One image's.

    Raises:
        NotHeldError: Colours, sizes or edges are missing.
    """
    device = exact_device(tokens.color.device)
    picture = tokens.color.detach().to(device).t()[:, :, None].contiguous()  # [3, N, 1]
    size = torch.as_tensor(tokens.size).as_subclass(Tensor).to(device)
    edges = tokens.edge_index.to(device)
    graph = RegionGraph(
        sums=quantise(comparison_features(picture, "lab").double().flatten(1)) * size,
        size=size,
        box=None,
        edge_index=edges[:, edges[0] < edges[1]],
        counts=[len(size)],
    )
    settings, parents, counts = Settings(num_tokens=1), [], [len(size)]
    while counts[-1] > 1:
        graph, parent = contract_once(graph, settings, [counts[-1] - 1])
        if graph.counts[0] == counts[-1]:
            break
        parents.append(parent)
        counts += graph.counts
    return Hierarchy.from_parents([parents], [counts], None, device)


def tree_above(tree: Hierarchy, tokens: TokenData) -> Hierarchy:
    """What a hierarchy says of the tokens: of N leaves as it is, of pixels from the tokens' level.

    Args:
        tree: Of one image, over its tokens or over its pixels. Those of pixels pass through the
            tokens at some level, as superpixels of fewer levels are part of those of more.
        tokens: The image's.

    Raises:
        ValueError: It is of several images, or of other tokens.
    """
    if len(tree.num_levels) != 1:
        raise ValueError(f"expected the tree of one image, got one of {len(tree.num_levels)}")
    (counts,), num_tokens = tree.image_counts, tokens.num_nodes
    if counts[0] == num_tokens:
        return tree
    for level, count in enumerate(counts):
        if count == num_tokens and counts[0] == len(tokens.cluster):
            region_of = _same_regions(tokens.cluster, tree.partition(level), count)
            if region_of is not None:
                above = [parent.to(region_of.device) for parent in tree.parents[level:]]
                above = [region_of, *above]
                return Hierarchy.from_parents([above], [[count, *counts[level:]]], None, None)
    raise ValueError(
        f"expected a tree over {num_tokens} tokens, or over the image's pixels and with these "
        f"tokens as a level, got regions {counts}"
    )


def _same_regions(
    cluster: Int64[Tensor, " P"], other: Int64[Tensor, " P"], count: int
) -> Int64[Tensor, " N"] | None:
    """The other partition's number of each token, where both are the same partition."""
    other = other.to(cluster.device)
    region_of = torch.full((count,), -1, device=cluster.device)
    region_of[cluster] = other
    same = torch.equal(region_of.index_select(0, cluster), other)
    return region_of if same and len(region_of.unique()) == count else None
