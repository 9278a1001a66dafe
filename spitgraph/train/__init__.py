"""Models learn: so far, to read irregular tokens as a pretrained transformer reads its patches."""

from spitgraph.train.distillation import distill, distillation_loss
from spitgraph.train.parameters import adapter_parameters

__all__ = ["adapter_parameters", "distill", "distillation_loss"]
