"""Token relevance: gradient × activation of the tokens that an attention layer reads."""

from typing import Any, SupportsIndex

import torch
from torch import Tensor, nn

from spitgraph.checks import integer, one_of
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import OUTPUTS, Scores, chosen, explained
from spitgraph.nn import SPiT


def token_relevance(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    block: SupportsIndex = -1,
    output: str = "logit",
) -> Attribution | list[Attribution]:
    """Token relevance, Grad-CAM's way: Σ_d a_id · ∂f/∂a_id of the tokens a that a block attends to.

    a are the block's normed tokens, what its attention reads: before the norm, which forgets how
    long a token is, the sum would be zero. The last block's *output* would not do either, of which
    only the class token is read. Gradients are taken token by token rather than averaged over the
    image, as tokens of irregular regions are no positions of one filter.

    Args:
        model: A `SPiT`.
        image: One image, as `load_images` takes it, or its tokens; or a batch or list of them.
        target: A class, the predicted one by default; of several images, one for all or one each.
        block: Which block, −1 for the last.
        output: `"logit"` or `"probability"` of the target.

    Returns:
        Scores of either sign; a list of these for a batch or list.

    Raises:
        ValueError: The backbone has no such block, or there is no such class.

    Source:
        Selvaraju et al., Grad-CAM (2017); Draelos and Carin, HiResCAM (2020).
    """
    read = OUTPUTS[one_of(output, OUTPUTS, "output")]
    number = integer(block, "block", minimum=None)

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        blocks = getattr(spit.backbone, "blocks", ())
        if not -len(blocks) <= number < len(blocks):
            raise ValueError(
                f"block must be in {-len(blocks)} … {len(blocks) - 1}, got {number}"
                if len(blocks)
                else f"a {type(spit.backbone).__name__} has no blocks"
            )
        rows, normed = _Seen(), _Seen()
        hooks = [
            spit.backbone.register_forward_pre_hook(rows.keep_input),
            blocks[number].norm1.register_forward_hook(normed.begin_here),
        ]
        try:
            with torch.enable_grad():
                logits = spit.forward_tokens(tokens)
                target_class = chosen(logits, wanted)
                if normed.value is None:
                    raise ValueError("the block's hooks saw nothing: is it compiled?")
                value = read(logits)[0, target_class]
                (gradient,) = torch.autograd.grad(value, normed.value)
        finally:
            for hook in hooks:
                hook.remove()
        relevance = (gradient * normed.value).detach().sum(dim=-1).flatten()  # of [1, n] or [n]
        return Scores(relevance.index_select(0, rows.value.node_rows), target_class)

    return explained(model, image, target, "token_relevance", method)


class _Seen:
    """What went through a module."""

    def __init__(self) -> None:
        self.value: Any = None

    def keep_input(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Remember the first argument."""
        self.value = inputs[0]

    def begin_here(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        """Remember the result, and pass it on as where gradients begin."""
        self.value = output.detach().requires_grad_()
        return self.value
