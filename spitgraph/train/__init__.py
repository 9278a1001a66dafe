"""Models learn: from labelled pictures, and to read irregular tokens as a ViT does patches.

What they then know, `evaluate` measures. Names that need Lightning (extra `train`) are imported
when first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from spitgraph.train.augmentation import Augmentation
from spitgraph.train.distillation import distill, distillation_loss
from spitgraph.train.evaluation import Evaluation, evaluate
from spitgraph.train.examples import Examples
from spitgraph.train.parameters import adapter_parameters
from spitgraph.train.pictures import Pictures, open_pictures
from spitgraph.train.rows import append_row, check_table
from spitgraph.train.token_budget import TokenBudgetSampler

if TYPE_CHECKING:
    from spitgraph.train.data import ImageData

__all__ = [
    "Augmentation",
    "Evaluation",
    "Examples",
    "ImageData",
    "Pictures",
    "TokenBudgetSampler",
    "adapter_parameters",
    "append_row",
    "check_table",
    "distill",
    "distillation_loss",
    "evaluate",
    "open_pictures",
]

#: Where the names live that need Lightning.
_MODULES = {"ImageData": "spitgraph.train.data"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'spitgraph.train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
