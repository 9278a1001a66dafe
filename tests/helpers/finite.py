"""What becomes infinite or NaN on the way, inside and in derivatives."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class NotFinite(TorchDispatchMode):
    """Within it every operation is looked at, those of derivatives too.

    Memory that nothing has been written to yet does not count.

    Attributes:
        kinds: "NaN", "inf" and "-inf", those that a result had.
    """

    def __init__(self):
        super().__init__()
        self.kinds = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        if not (func.is_view or "empty" in func.name()):
            for result in tree_leaves(results):
                if isinstance(result, torch.Tensor) and result.is_floating_point():
                    self.kinds |= not_finite(result.detach())
        return results


def not_finite(values):
    """Which of NaN and the two infinities there are."""
    kinds = {"NaN": values.isnan(), "inf": values == torch.inf, "-inf": values == -torch.inf}
    return {kind for kind, there in kinds.items() if there.any()}
