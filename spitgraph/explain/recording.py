"""Attention weights of a forward pass, read through hooks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spitgraph.models.wrappers import spit_inside
from spitgraph.nn import Attention, Packing, TokenSequences
from spitgraph.nn.attention_weights import attention_weights, packed_attention_weights

#: What becomes of an image's weights [heads, n, n] as soon as they are there.
Reduction = Callable[[Tensor], Tensor]


class NoAttentionError(ValueError):
    """There are no attention weights: the model has none, or keeps them from being read."""


class AttentionRecord:
    """The attention weights of the last forward pass within `recorded_attention`.

    Attributes:
        sequences: What the backbone read: which rows are tokens, and of which image.
    """

    def __init__(self, modules: Sequence[Attention]) -> None:
        self.sequences: TokenSequences | None = None
        self._modules = modules
        self._layers: list[list[Tensor]] = []

    @property
    def layers(self) -> list[list[Tensor]]:
        """For every layer, in the order in which they ran, and every image: [heads, n, n].

        Row i is what row i of the image's sequence takes from each of its n rows, the class token's
        among them. Where a reduction was asked for, what it made of them.

        Raises:
            NoAttentionError: No forward pass went by, or hooks did not see all of it.
        """
        self.rows  # noqa: B018, to raise what it raises
        if len(self._layers) != len(self._modules):
            raise NoAttentionError(
                f"no attention weights available: {len(self._modules)} Attention modules, of which "
                f"{len(self._layers)} told theirs; compiled models keep them to themselves: use "
                "the model as it was before torch.compile"
            )
        return self._layers

    @property
    def rows(self) -> TokenSequences:
        """`sequences`, once they are there.

        Raises:
            NoAttentionError: No forward pass went by.
        """
        if self.sequences is None:
            raise NoAttentionError(
                "no attention weights available: the hooks saw no forward pass; call "
                "model.forward_tokens within recorded_attention, not compiled"
            )
        return self.sequences

    def _begin(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if not torch.compiler.is_compiling():
            self.sequences, self._layers = inputs[0], []

    def _add(self, weights: list[Tensor], reduce: Reduction | None) -> None:
        self._layers.append([reduce(one) for one in weights] if reduce else weights)


@contextmanager
def recorded_attention(
    model: nn.Module, reduce: Reduction | None = None
) -> Iterator[AttentionRecord]:
    """Within it, forward passes of a model leave their attention weights.

    They are computed beside fused attention, by hooks that are gone afterwards: the ordinary
    forward pass stays what it is. Weights are softmax(qkᵀ/√d + bias) in float32 at least, and carry
    gradients where these are enabled.

    Args:
        model: A `SPiT`, alone or wrapped.
        reduce: Applied to each image's [heads, n, n] at once, so that no more is kept than needed,
            as their mean over heads.

    Raises:
        NoAttentionError: The backbone has no `Attention` modules.
        TypeError: There is no `SPiT` inside the model.
    """
    spit = spit_inside(model)
    modules = [module for module in spit.backbone.modules() if isinstance(module, Attention)]
    if not modules:
        raise NoAttentionError(
            f"no attention weights available: a {type(spit.backbone).__name__} without "
            "spitgraph.nn.Attention in it"
        )
    record = AttentionRecord(modules)
    with ExitStack() as hooks:
        hooks.callback(spit.backbone.register_forward_pre_hook(record._begin).remove)
        for module in modules:
            for remove in _watch(module, record, reduce):
                hooks.callback(remove)
        yield record


def _watch(
    module: Attention, record: AttentionRecord, reduce: Reduction | None
) -> list[Callable[[], None]]:
    """Hooks on an attention module and on its `qkv`; returns what removes them."""
    projected: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if not torch.compiler.is_compiling():
            projected[:] = [output]

    def tell(
        layer: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any], output: Tensor
    ) -> None:
        if torch.compiler.is_compiling() or record.sequences is None or not projected:
            return
        q, k, _ = module.heads(projected.pop())
        scope = options.get("scope", inputs[1] if len(inputs) > 1 else None)
        record._add(_of_images(q, k, scope, record.sequences), reduce)

    return [
        module.qkv.register_forward_hook(keep).remove,
        module.register_forward_hook(tell, with_kwargs=True).remove,
    ]


def _of_images(q: Tensor, k: Tensor, scope: Any, sequences: TokenSequences) -> list[Tensor]:
    """Each image's weights, of packed rows or of padded ones without their padding."""
    if isinstance(scope, Packing):
        return packed_attention_weights(q, k, scope)
    weights = attention_weights(q.transpose(1, 2), k.transpose(1, 2), scope)
    return [one[:, :n, :n] for one, n in zip(weights, sequences.counts, strict=True)]
