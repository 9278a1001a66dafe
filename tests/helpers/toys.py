"""A model whose answer is worked out by hand: what tokens add to a logit, summed."""

import torch
from torch import nn

from spitgraph import TokenData
from spitgraph.nn import Backbone, SPiT, TokenEmbedder
from spitgraph.nn.model import TokenFeatures


class Sums(SPiT):
    """Logits are (Σ x, 0) over the tokens that are there: p(0) = σ(Σ x)."""

    def __init__(self):
        embedder = TokenEmbedder(1, 2)
        super().__init__(nn.Identity(), nn.Identity(), embedder, Backbone(2, 1, 1), nn.Identity())
        with torch.no_grad():
            embedder.linear.weight.copy_(torch.tensor([[1.0], [0.0]]))
            embedder.linear.bias.zero_()
        self.eval()

    def forward_sequences(self, sequences, edge_index=None):
        sums = sequences.x.new_zeros(sequences.num_images, 2)
        sums.index_add_(0, sequences.node_image, sequences.tokens)
        return TokenFeatures(sums, sequences.tokens, sequences.kept)


def toy_tokens(*adds, size=None):
    """Tokens that add so much each to the logit of class 0."""
    count = len(adds)
    return TokenData(
        x=torch.tensor(adds, dtype=torch.float32)[:, None],
        size=torch.ones(count, dtype=torch.int64) if size is None else torch.tensor(size),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
    )
