"""Attention that knows the region graph: a learned bias by hop distance."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from spitgraph.checks import integer
from spitgraph.nn.sequences import TokenSequences

#: Hop distances as columns of the table: 0, 1 and 2, everything further, pairs with a class token
#: or a register.
FURTHER, CLASS, NUM_COLUMNS = 3, 4, 5
#: Stands for pairs whose key is padding.
PADDING = NUM_COLUMNS


class GraphBias(nn.Module):
    """A bias per head on attention logits, indexed by hop distance in the region graph (METHOD 5).

    One table serves all blocks, as in Graphormer (Ying et al. 2021) and T5, so that the biases of a
    batch are made once. Zero at initialisation: an imported plain model starts out unchanged.

    Distances are those in the whole graph, also where a token budget leaves nodes out; regions that
    no path connects are further than any.

    Args:
        num_heads: Attention heads.

    Raises:
        ValueError, TypeError: The heads are not a whole number of at least 1.
    """

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(integer(num_heads, "num_heads"), NUM_COLUMNS))

    def packed(
        self, sequences: TokenSequences, edge_index: Int64[Tensor, "2 E"]
    ) -> Float[Tensor, "heads P"]:
        """[heads, Σ n²]: of every image its n×n pairs, row by row.

        Args:
            sequences: The tokens of each image.
            edge_index: The region graphs, between nodes of the batch.
        """
        rows = rows_of_nodes(sequences)
        # The operator's output size depends on the counts: only so does torch.compile accept it
        hops = packed_hops if not torch.compiler.is_compiling() else _packed_hops
        num_prefix = sequences.num_prefix
        return self.table.index_select(1, hops(edge_index, rows, sequences.offsets, num_prefix))

    def padded(
        self, sequences: TokenSequences, edge_index: Int64[Tensor, "2 E"], length: int
    ) -> Float[Tensor, "B heads L L"]:
        """[B, heads, L, L], minus infinity where the key is padding.

        Args:
            sequences: The tokens of each image.
            edge_index: The region graphs, between nodes of the batch.
            length: L, not below any count.
        """
        rows, num_prefix = rows_of_nodes(sequences), sequences.num_prefix
        hops = padded_hops(edge_index, rows, sequences.offsets, length, num_prefix)
        never = self.table.new_full((len(self.table), 1), -torch.inf)
        bias = torch.cat([self.table, never], dim=1).index_select(1, hops.flatten())
        return bias.unflatten(1, hops.shape).transpose(0, 1)


def rows_of_nodes(sequences: TokenSequences) -> Int64[Tensor, " N"]:
    """Row of each node among the packed sequences, −1 for those left out."""
    if sequences.kept is None:
        return sequences.node_rows
    rows = sequences.node_rows.new_full((sequences.num_nodes,), -1)
    return rows.index_copy(0, sequences.kept, sequences.node_rows)


def packed_hops(
    edge_index: Int64[Tensor, "2 E"],
    rows: Int64[Tensor, " N"],
    offsets: Int64[Tensor, " _"],
    num_prefix: int = 1,
) -> Int64[Tensor, " P"]:
    """Column of `GraphBias.table` for all pairs of every image, n×n row by row, P = Σ n².

    Args:
        edge_index: The region graphs, between nodes of the batch.
        rows: Row of each node, −1 for those left out.
        offsets: First row of each image, and the number of rows.
        num_prefix: How many rows of an image, the first ones, are class token and registers.
    """
    counts = offsets.diff()
    ends = counts.square().cumsum(0)
    starts, size = ends - counts.square(), int(ends[-1])
    return _hops(edge_index, rows, offsets, num_prefix, starts, counts, size)


def padded_hops(
    edge_index: Int64[Tensor, "2 E"],
    rows: Int64[Tensor, " N"],
    offsets: Int64[Tensor, " _"],
    length: int,
    num_prefix: int = 1,
) -> Int64[Tensor, "B L L"]:
    """The same as L×L pairs an image, `PADDING` where the key is padding; see `packed_hops`."""
    counts = offsets.diff()
    images = torch.arange(counts.numel(), device=counts.device)
    size = counts.numel() * length**2
    strides = torch.full_like(counts, length)
    starts = images * length**2
    hops = _hops(edge_index, rows, offsets, num_prefix, starts, strides, size)
    is_padding = torch.arange(length, device=counts.device) >= counts[:, None]  # [B, L]
    return hops.view(-1, length, length).masked_fill(is_padding[:, None], PADDING)


def _hops(
    edge_index: Tensor,
    rows: Tensor,
    offsets: Tensor,
    num_prefix: int,
    starts: Tensor,
    strides: Tensor,
    size: int,
) -> Tensor:
    """Hop distances in one flat tensor, where image i's table starts at starts[i]."""
    device, counts = offsets.device, offsets.diff()
    images = torch.arange(counts.numel(), device=device)
    image = images.repeat_interleave(counts)  # [S], image of each row
    rank = torch.arange(image.numel(), device=device) - offsets[image]
    row_start = starts[image] + rank * strides[image]

    hops = torch.full((size,), FURTHER, device=device)
    edges = rows[edge_index]
    for pairs, distance in ((rows[two_hops(edge_index, rows.numel())], 2), (edges, 1)):
        query, key = pairs[:, (pairs >= 0).all(dim=0)]
        hops[row_start[query] + rank[key]] = distance
    hops[row_start + rank] = 0
    for prefix in range(num_prefix):
        hops[row_start[offsets[:-1] + prefix][image] + rank] = CLASS
        hops[row_start + prefix] = CLASS
    return hops


def two_hops(edge_index: Int64[Tensor, "2 E"], num_nodes: int) -> Int64[Tensor, "2 _walks"]:
    """Ends of every walk of two edges; some more than once, and back to its start among them."""
    source, target = edge_index[:, edge_index[0].argsort()]
    degree = torch.bincount(source, minlength=num_nodes)
    first_edge = degree.cumsum(0) - degree  # of each node, among the sorted
    onward = degree[target]  # [E], ways to go on after each edge
    first_walk = onward.cumsum(0) - onward
    start = source.repeat_interleave(onward)
    walk = torch.arange(start.numel(), device=start.device)
    second_edge = walk + (first_edge[target] - first_walk).repeat_interleave(onward)
    return torch.stack([start, target[second_edge]])


@torch.library.custom_op("spitgraph::packed_hops", mutates_args=())
def _packed_hops(edge_index: Tensor, rows: Tensor, offsets: Tensor, num_prefix: int = 1) -> Tensor:
    return packed_hops(edge_index, rows, offsets, num_prefix)


@_packed_hops.register_fake
def _(edge_index: Tensor, rows: Tensor, offsets: Tensor, num_prefix: int = 1) -> Tensor:
    return offsets.new_empty(torch.library.get_ctx().new_dynamic_size())
