"""Exact pooling of what each region holds (METHOD 2.5, 2.8)."""

from jaxtyping import Int64
from torch import Tensor, nn
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.extensions import scatter_max, scatter_min, scatter_sum

#: Beyond the coordinates of any pixel.
FAR = 2**31


class SumReduce(nn.Module):
    """Sums of integers over each cluster: the same bits in any order of additions."""

    def forward(self, x: Int64[Tensor, "*C n"], select: SelectOutput) -> Int64[Tensor, "*C m"]:
        """Pool [*, n] node values to [*, m] cluster values."""
        return scatter_sum(x, select.cluster_index, select.num_clusters)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class BoxReduce(nn.Module):
    """The smallest axis-aligned box around the boxes of each cluster."""

    def forward(self, box: Int64[Tensor, "4 n"], select: SelectOutput) -> Int64[Tensor, "4 m"]:
        """Pool [4, n] boxes (x_min, y_min, x_max, y_max)."""
        pooled = box.new_empty(4, select.num_clusters)
        scatter_min(box[:2], select.cluster_index, pooled[:2].fill_(FAR))
        scatter_max(box[2:], select.cluster_index, pooled[2:].fill_(0))
        return pooled

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
