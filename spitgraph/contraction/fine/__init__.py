"""The fine rule: regions that follow borders more closely, to an exact count (docs/method.md)."""

from spitgraph.contraction.fine.hierarchy import contract_fine

__all__ = ["contract_fine"]
