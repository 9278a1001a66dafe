"""Models learn: to tell classes, or to read irregular tokens as a pretrained ViT reads patches."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spitgraph.train.augmentation import Augmentation
    from spitgraph.train.classifier import Classifier
    from spitgraph.train.data import ImageData
    from spitgraph.train.distillation import distill, distillation_loss
    from spitgraph.train.examples import Examples
    from spitgraph.train.options import TrainingOptions
    from spitgraph.train.parameters import (
        adapter_parameters,
        learning_parameters,
        parameter_groups,
    )
    from spitgraph.train.pictures import Pictures, open_pictures
    from spitgraph.train.run import resume, train
    from spitgraph.train.token_budget import TokenBudgetSampler

#: Where names live; imported when first asked for, since some need Lightning.
_MODULES = {
    "Augmentation": "augmentation",
    "Classifier": "classifier",
    "Examples": "examples",
    "ImageData": "data",
    "Pictures": "pictures",
    "TokenBudgetSampler": "token_budget",
    "TrainingOptions": "options",
    "adapter_parameters": "parameters",
    "distill": "distillation",
    "distillation_loss": "distillation",
    "learning_parameters": "parameters",
    "open_pictures": "pictures",
    "parameter_groups": "parameters",
    "resume": "run",
    "train": "run",
}

__all__ = [
    "Augmentation",
    "Classifier",
    "Examples",
    "ImageData",
    "Pictures",
    "TokenBudgetSampler",
    "TrainingOptions",
    "adapter_parameters",
    "distill",
    "distillation_loss",
    "learning_parameters",
    "open_pictures",
    "parameter_groups",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
