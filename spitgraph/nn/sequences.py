"""Token graphs as the sequences that the backbone reads, without padding or with it, and back."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor
from torch_geometric.utils import to_dense_batch

from spitgraph.batching import image_offsets
from spitgraph.data import TokenData


@dataclass
class TokenSequences:
    """A batch of images as sequences, packed one after the other: class token, then tokens.

    B images, N nodes in the batch of which K are kept, S = K + P·B rows. The P rows before an
    image's tokens, its prefix, are the class token and then registers, as far as there are any.

    Attributes:
        x: [S, D], for every image its class token and registers, then its tokens in node order.
        offsets: [B + 1] int64; image i is the rows offsets[i] … offsets[i + 1] − 1.
        image: [S] int64, image of each row.
        node_rows: [K] int64, row of each kept node.
        num_nodes: N.
        kept: [K] int64, nodes that are kept, in ascending order; None when all are.
        num_prefix: P.
        pooled: [B, D], what stands for each image, once a backbone has made something other than
            the class token of it.
        sizes: [K], pixels of each kept node, where tokens tell them; read by the size bias.
    """

    x: Float[Tensor, "S D"]
    offsets: Int64[Tensor, " _"]
    image: Int64[Tensor, " S"]
    node_rows: Int64[Tensor, " K"]
    num_nodes: int
    kept: Int64[Tensor, " K"] | None = None
    num_prefix: int = 1
    pooled: Float[Tensor, "B D"] | None = None
    sizes: Shaped[Tensor, " K"] | None = None

    @property
    def num_images(self) -> int:
        """B."""
        return self.offsets.numel() - 1

    @property
    def counts(self) -> list[int]:
        """Rows of each image, the prefix included. Waits for the device."""
        return self.offsets.diff().tolist()

    @property
    def class_tokens(self) -> Float[Tensor, "B D"]:
        """Class token of each image, its first row.

        Raises:
            ValueError: There is none.
        """
        if self.num_prefix == 0:
            raise ValueError("these sequences have no class token: pool their tokens")
        return self.x.index_select(0, self.offsets[:-1])

    @property
    def tokens(self) -> Float[Tensor, "K D"]:
        """Tokens of the kept nodes, in node order."""
        return self.x.index_select(0, self.node_rows)

    @property
    def node_image(self) -> Int64[Tensor, " K"]:
        """Image of each kept node."""
        return self.image.index_select(0, self.node_rows)

    def with_rows(self, x: Float[Tensor, "S D"]) -> "TokenSequences":
        """The same sequences of other vectors."""
        return replace(self, x=x, pooled=None)

    def padded(self, length: int) -> tuple[Float[Tensor, "B L D"], Bool[Tensor, "B L"]]:
        """Vectors with zeros up to a common length L, and which of them are not padding."""
        dense: tuple[Tensor, Tensor] = to_dense_batch(
            self.x, self.image, max_num_nodes=length, batch_size=self.num_images
        )
        return dense


def node_offsets(tokens: TokenData) -> Int64[Tensor, " _"]:
    """First node of each image, and the number of nodes: [0, N] for one image.

    Raises:
        ValueError: `batch`, `ptr` and `image_size` are not of the same images, or the nodes of an
            image do not follow one another. A compiled model takes `ptr` as it is.
    """
    ptr = getattr(tokens, "ptr", None)  # torch.compile knows of no `in` for PyG's data in 2.5
    if ptr is not None and torch.compiler.is_compiling():
        return ptr
    return image_offsets(tokens, tokens.x.shape[0], tokens.x.device)


def pack(
    vectors: Float[Tensor, "K D"],
    prefix: Float[Tensor, "P D"],
    node_counts: Int64[Tensor, " B"],
    num_nodes: int,
    kept: Int64[Tensor, " K"] | None = None,
    sizes: Shaped[Tensor, " K"] | None = None,
) -> TokenSequences:
    """Put the same rows, a class token and registers, before the tokens of every image.

    Args:
        vectors: Embedded tokens, image by image.
        prefix: What comes before; perhaps nothing. Its dtype becomes that of the sequences.
        node_counts: Tokens of each image, adding up to K; none has to have any.
        num_nodes: Nodes in the batch.
        kept: Nodes that `vectors` belong to; None when to all.
        sizes: Pixels of these.
    """
    num_prefix, num_images = prefix.shape[0], node_counts.shape[0]
    num_rows = vectors.shape[0] + num_prefix * num_images
    counts = node_counts + num_prefix
    offsets = torch.cat([node_counts.new_zeros(1), counts.cumsum(0)])
    images = torch.arange(num_images, device=vectors.device)
    # The sizes are told, so that neither a device is waited for nor torch.compile stops
    image = images.repeat_interleave(counts, output_size=num_rows)
    node_image = images.repeat_interleave(node_counts, output_size=vectors.shape[0])
    node_rows = torch.arange(vectors.shape[0], device=vectors.device)
    node_rows = node_rows + num_prefix * (node_image + 1)
    x = prefix.new_zeros(num_rows, vectors.shape[1])
    x = x.index_copy(0, node_rows, vectors.to(x.dtype))
    for row in range(num_prefix):
        x = x.index_copy(0, offsets[:-1] + row, prefix[row].expand(num_images, -1))
    return TokenSequences(x, offsets, image, node_rows, num_nodes, kept, num_prefix, sizes=sizes)
