"""Models learn from labelled pictures or a pretrained transformer, and are measured."""

from spitgraph.train.distillation import distill, distillation_loss
from spitgraph.train.evaluation import Evaluation, evaluate
from spitgraph.train.parameters import adapter_parameters
from spitgraph.train.pictures import Pictures, open_pictures
from spitgraph.train.rows import append_row, check_table

__all__ = [
    "Evaluation",
    "Pictures",
    "adapter_parameters",
    "append_row",
    "check_table",
    "distill",
    "distillation_loss",
    "evaluate",
    "open_pictures",
]
