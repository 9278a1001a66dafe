"""Many subsets of one image's tokens, as sequences that the backbone reads at once."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from spitgraph.nn.sequences import TokenSequences


def subset_sequences(sequences: TokenSequences, keep: Bool[Tensor, "M N"]) -> TokenSequences:
    """The sequences of M subsets of one image's tokens, as if each were an image of its own.

    Tokens are embedded once, whatever the number of subsets that hold them. The rows before them,
    class token and registers, are part of every subset. Node n of subset m has the number m·N + n.

    Args:
        sequences: Of one image, all of its nodes kept.
        keep: [M, N], which tokens each subset holds; none have to be.

    Raises:
        ValueError: The sequences are of several images or of some nodes only, or `keep` is not of
            their nodes.
    """
    num_nodes, device = sequences.num_nodes, sequences.x.device
    if sequences.num_images != 1 or sequences.kept is not None:
        raise ValueError("subsets are of one image's tokens, all of which are there")
    if keep.shape[1] != num_nodes:
        raise ValueError(f"expected keep of [M, {num_nodes}], got {list(keep.shape)}")
    keep = keep.to(device)
    row_kept = keep.new_ones(len(keep), len(sequences.x))
    row_kept[:, sequences.node_rows] = keep
    is_node = keep.new_zeros(len(sequences.x))
    is_node[sequences.node_rows] = True
    image, row = row_kept.nonzero().unbind(1)  # [S] each, subset after subset
    counts, kept = row_kept.sum(1), keep.flatten().nonzero().flatten()
    sizes = sequences.sizes
    return TokenSequences(
        sequences.x.index_select(0, row),
        torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
        image,
        is_node.index_select(0, row).nonzero().flatten(),
        keep.numel(),
        kept,
        sequences.num_prefix,
        sizes=None if sizes is None else sizes.index_select(0, kept % num_nodes),
    )


def subset_edges(
    edge_index: Int64[Tensor, "2 E"], keep: Bool[Tensor, "M N"]
) -> Int64[Tensor, "2 _edges"]:
    """The region graphs that are left of M subsets, numbered as `subset_sequences` does.

    No path leads over a token that is not there.

    Args:
        edge_index: The region graph of one image.
        keep: [M, N], which tokens each subset holds.
    """
    keep = keep.to(edge_index.device)
    subset, edge = (keep[:, edge_index[0]] & keep[:, edge_index[1]]).nonzero().unbind(1)
    return edge_index.index_select(1, edge) + subset * keep.shape[1]
