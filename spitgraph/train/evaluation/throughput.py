"""How fast a model is, and how much it computes."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from spitgraph.checks import integer
from spitgraph.data import TokenData
from spitgraph.nn import SPiT


class Throughput(NamedTuple):
    """Pictures a second.

    Attributes:
        tokenizer: τ.
        extractor: φ.
        transformer: γ, f and h.
        together: One after the other.
    """

    tokenizer: float
    extractor: float
    transformer: float
    together: float


def throughput(
    model: SPiT,
    images: list[Tensor],
    repeats: int = 5,
    *,
    tokenizer: nn.Module | None = None,
    context: Callable[[], AbstractContextManager] = nullcontext,
) -> Throughput:
    """Pictures a second of each part, the median of several passes over one batch.

    A first pass does not count. Times are the wall clock's, once the device is done; decoding and
    resizing of pictures are not in them.

    Args:
        model: In the mode that is to be timed.
        images: The batch, on the model's device.
        repeats: Passes that count.
        tokenizer: τ, if it is to be another than the model's.
        context: What the transformer computes in, such as autocast.
    """
    device, repeats = next(model.parameters()).device, integer(repeats, "repeats")
    tokenizer = model.tokenizer if tokenizer is None else tokenizer
    passes = [one_pass(model, images, tokenizer, device, context) for _ in range(repeats + 1)]
    return Throughput(*(len(images) / median(times) for times in zip(*passes[1:], strict=True)))


def one_pass(
    model: SPiT,
    images: list[Tensor],
    tokenizer: nn.Module,
    device: torch.device,
    context: Callable[[], AbstractContextManager],
) -> tuple[float, float, float, float]:
    """Seconds of τ, φ, the transformer, and all."""
    with torch.inference_mode():
        start = now(device)
        tokens = tokenizer(images).to(device)
        tokenized = now(device)
        tokens = model.extractor(tokens)
        extracted = now(device)
        with context():
            model.forward_tokens(tokens)
        end = now(device)
    return tokenized - start, extracted - tokenized, end - extracted, end - start


def now(device: torch.device) -> float:
    """Seconds, once a device has done what it was asked for."""
    synchronize: Any = getattr(getattr(torch, device.type, None), "synchronize", None)
    if synchronize is not None and device.type != "cpu":
        synchronize()
    return time.perf_counter()


def transformer_flops(model: SPiT, tokens: TokenData) -> int:
    """Floating-point operations of γ, f and h: matrix products and attention.

    A multiplication and the addition that follows are two. Norms, softmax, activations and biases
    are not counted, nor are τ and φ.

    Args:
        model: In evaluation mode.
        tokens: With `x` set; attention grows with the square of their count.
    """
    # attention's fused bodies for CPUs are unknown to the counter: it is asked for in products
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.forward_tokens(tokens)
    return counter.get_total_flops()
