"""Every kernel of the fine rule, with every type that images can bring to it."""

import numpy as np
import torch
from jaxtyping import Int32
from torch import Tensor

from spitgraph.contraction.cpu.batch import prepared
from spitgraph.contraction.fine.cpu.batch import contract_task
from spitgraph.contraction.fine.cpu.image import ALONE
from spitgraph.contraction.fine.cpu.together import TOGETHER
from spitgraph.kernels.cpu.memory import Arena


def warm_up() -> None:
    """Contract small images of all kinds, by one thread and by all together."""
    bytes8 = (torch.arange(3 * 8 * 9) * 37 % 256).to(torch.uint8).view(3, 8, 9)
    dark = bytes8 / 255 * 0.3  # no picture of 8 bits
    last = bytes8.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    for num_tokens in (5, 40):
        contract([bytes8, dark, last], None, num_tokens)
    contract([bytes8], torch.arange(2 * 72, dtype=torch.int32).view(2, 72), 5)


def contract(images: list[Tensor], features_q: Int32[Tensor, "C P"] | None, num: int) -> None:
    """To so many regions."""
    for steps in (ALONE, TOGETHER):
        tasks, _ = prepared(images, features_q, Arena())
        for task in tasks:
            contract_task(task, num, np.empty(0, np.uint8), steps)
