"""What the benchmarks know of the pretrained transformers that they are given, and of pictures."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CLIP = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
    "activation": "quick_gelu",
}


class Picture(NamedTuple):
    """A file, and the number of the folder it lies in."""

    path: Path
    label: int


def settings_of(state: dict[str, Tensor]) -> dict[str, Any]:
    """What weights do not tell: CLIP's with a norm before the blocks, otherwise ImageNet's."""
    return dict(CLIP if "norm_pre.weight" in state else IMAGENET)


def pictures(folder: Path, a_class: int) -> list[Picture]:
    """The first pictures of every class, which is a folder, in the order of their names."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    if not classes:
        raise SystemExit(f"{folder} has no folders of pictures")
    return [
        Picture(path, label)
        for label, of_class in enumerate(classes)
        for path in sorted(of_class.iterdir())[:a_class]
    ]


def labels(of: list[Picture]) -> Tensor:
    """[n] int64."""
    return torch.tensor([picture.label for picture in of])
