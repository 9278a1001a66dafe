"""Models learn: to tell classes, or to read irregular tokens as a pretrained ViT reads patches.

What they then know, `evaluate` measures. Names are imported when first asked for: some need
Lightning (extra `train`).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spitgraph.train.augmentation.augmentation import Augmentation
    from spitgraph.train.classifier import Classifier
    from spitgraph.train.data.examples import Examples
    from spitgraph.train.data.image_data import ImageData
    from spitgraph.train.data.token_budget import TokenBudgetSampler
    from spitgraph.train.distillation import distill, distillation_loss
    from spitgraph.train.evaluation.evaluation import Evaluation, evaluate
    from spitgraph.train.evaluation.rows import append_row, check_table
    from spitgraph.train.parameters import adapter_parameters, learning_parameters, parameter_groups
    from spitgraph.train.pictures.base import Pictures, open_pictures
    from spitgraph.train.runs.options import TrainingOptions
    from spitgraph.train.runs.run import resume, train

__all__ = [
    "Augmentation",
    "Classifier",
    "Evaluation",
    "Examples",
    "ImageData",
    "Pictures",
    "TokenBudgetSampler",
    "TrainingOptions",
    "adapter_parameters",
    "append_row",
    "check_table",
    "distill",
    "distillation_loss",
    "evaluate",
    "learning_parameters",
    "open_pictures",
    "parameter_groups",
    "resume",
    "train",
]

#: Where names live.
_MODULES = {
    "Augmentation": "augmentation.augmentation",
    "Classifier": "classifier",
    "Evaluation": "evaluation.evaluation",
    "Examples": "data.examples",
    "ImageData": "data.image_data",
    "Pictures": "pictures.base",
    "TokenBudgetSampler": "data.token_budget",
    "TrainingOptions": "runs.options",
    "adapter_parameters": "parameters",
    "append_row": "evaluation.rows",
    "check_table": "evaluation.rows",
    "distill": "distillation",
    "distillation_loss": "distillation",
    "evaluate": "evaluation.evaluation",
    "learning_parameters": "parameters",
    "open_pictures": "pictures.base",
    "parameter_groups": "parameters",
    "resume": "runs.run",
    "train": "runs.run",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
