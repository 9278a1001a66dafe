"""Classes of pictures, of training pictures and of a head: whether they are the same."""

import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph.models.wrappers import unwrapped
from spitgraph.nn import SPiT
from spitgraph.train.pictures.base import Pictures


def common_classes(
    pictures: Pictures, train: Pictures | None
) -> tuple[tuple[str, ...], Int64[Tensor, " c"]]:
    """All classes, and the number there of each class of the pictures.

    Raises:
        ValueError: There are no pictures, or some of a class that training pictures lack.
    """
    for some in (pictures, train):
        if some is not None and len(some) == 0:
            raise ValueError("expected at least one picture, got none")
    classes = pictures.classes if train is None else train.classes
    numbers = {name: number for number, name in enumerate(classes)}
    unknown = [name for name in pictures.classes if name not in numbers]
    if unknown:
        raise ValueError(
            f"training pictures have no class {', '.join(map(repr, unknown[:5]))}, "
            "which others are tried on"
        )
    return classes, torch.tensor([numbers[name] for name in pictures.classes])


def check_head(model: SPiT, classes: int) -> None:
    """Refuse a head of another number of classes."""
    answers = getattr(unwrapped(model.head), "out_features", classes)
    if answers != classes:
        raise ValueError(
            f"the model's head tells {answers} classes apart, and the pictures have {classes}: "
            "leave it out with topk=()"
        )
