"""What every extractor φ does: token graphs in, the same with vectors out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import nn

from spitgraph.data import TokenData


class Extractor(nn.Module, ABC):
    """A vector of fixed length for every token."""

    @property
    @abstractmethod
    def layout(self) -> Mapping[str, slice]:
        """Where each named part lies in a vector: together they cover it once."""

    @property
    def out_channels(self) -> int:
        """Length D of a token vector."""
        return max(part.stop for part in self.layout.values())

    @abstractmethod
    def forward(self, tokens: TokenData) -> TokenData:
        """The same tokens (or batch of them), a shallow copy, with `x` [N, D] set."""
