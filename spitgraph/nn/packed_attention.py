"""Attention among rows of unequal images, packed one after the other without padding.

See README.md in this folder for which body runs when, and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from spitgraph.modes import is_transformed


@dataclass
class Packing:
    """Where each of B images lies among S rows that are packed one image after the other.

    Attributes:
        offsets: [B + 1] int64; image i is the rows offsets[i] … offsets[i + 1] − 1.
        image: [S] int64, image of each row.
        counts: Rows of each image; None while `torch.compile` traces, which has no numbers.
        bias: [heads, Σ n²], added to attention logits: of every image its n×n pairs, row by row.
        key_bias: [S], added likewise to the logits of each key, for all queries and heads.
    """

    offsets: Int64[Tensor, " _"]
    image: Int64[Tensor, " S"]
    counts: Sequence[int] | None
    bias: Float[Tensor, "heads P"] | None = None
    key_bias: Float[Tensor, " S"] | None = None

    @property
    def num_images(self) -> int:
        """B."""
        return self.offsets.numel() - 1


def packed_attention(
    q: Float[Tensor, "S heads d"],
    k: Float[Tensor, "S heads d"],
    v: Float[Tensor, "S heads d"],
    packing: Packing,
) -> Float[Tensor, "S heads d"]:
    """softmax(qkᵀ/√d + bias)·v within every image."""
    bias = None if packing.bias is None else packing.bias.to(q.dtype)
    key_bias = None if packing.key_bias is None else packing.key_bias.to(q.dtype)
    if packing.counts is None:
        return _packed_attention(q, k, v, packing.offsets, bias, key_bias)
    is_plain = bias is None and key_bias is None
    nested = q.is_cuda and is_plain and not torch.is_inference_mode_enabled()
    if nested and len(set(packing.counts)) > 1:
        return nested_attention(q, k, v, packing.offsets, packing.counts)
    return looped_attention(q, k, v, packing.counts, bias, key_bias)


def attention(
    q: Float[Tensor, "B heads L d"],
    k: Float[Tensor, "B heads L d"],
    v: Float[Tensor, "B heads L d"],
    mask: Tensor | None,
) -> Float[Tensor, "B heads L d"]:
    """softmax(qkᵀ/√d + mask)·v; masks are boolean or added, [B, 1 or heads, 1 or L, L]."""
    if mask is None or torch.compiler.is_compiling() or not is_transformed(mask):
        return scaled_dot_product_attention(q, k, v, attn_mask=mask)
    with sdpa_kernel(SDPBackend.MATH):  # PyTorch's choice overlooks that a bias has derivatives
        return scaled_dot_product_attention(q, k, v, attn_mask=mask)


def looped_attention(
    q: Float[Tensor, "S heads d"],
    k: Float[Tensor, "S heads d"],
    v: Float[Tensor, "S heads d"],
    counts: Sequence[int],
    bias: Float[Tensor, "heads P"] | None,
    key_bias: Float[Tensor, " S"] | None = None,
) -> Float[Tensor, "S heads d"]:
    """One call an image, or a single one if all counts agree."""
    groups = _equal_images([q, k, v], counts, bias, key_bias)
    attended = []
    for rows, mask in groups:
        query, key, value = (x.transpose(1, 2) for x in rows)  # [b, heads, n, d]
        out = attention(query, key, value, mask)
        attended.append(out.transpose(1, 2).flatten(0, 1))
    return torch.cat(attended)


def nested_attention(
    q: Float[Tensor, "S heads d"],
    k: Float[Tensor, "S heads d"],
    v: Float[Tensor, "S heads d"],
    offsets: Int64[Tensor, " _"],
    counts: Sequence[int],
) -> Float[Tensor, "S heads d"]:
    """One call for all images, by PyTorch's jagged tensors: fused kernels on CUDA only."""
    query, key, value = (
        torch.nested.nested_tensor_from_jagged(
            rows.contiguous(), offsets, min_seqlen=min(counts), max_seqlen=max(counts)
        ).transpose(1, 2)
        for rows in (q, k, v)
    )
    return scaled_dot_product_attention(query, key, value).transpose(1, 2).values()


def _equal_images(
    packed: list[Tensor], counts: Sequence[int], bias: Tensor | None, key_bias: Tensor | None
) -> list[tuple[list[Tensor], Tensor | None]]:
    """Packed rows as [b, n, heads, d] of b equal images, and what is added to their logits.

    That is [b, heads, n, n], or [b, 1, 1, n] where keys alone have a bias.

    A single group of B images if all counts agree, otherwise a group an image.
    """
    if len(set(counts)) == 1:
        counts, images = counts[:1], len(counts)
    else:
        images = 1
    split = [rows.split([images * n for n in counts]) for rows in packed]
    rows = [[x.unflatten(0, (images, -1)) for x in group] for group in zip(*split, strict=True)]
    masks: list[Tensor | None] = [None] * len(rows)
    if bias is not None:
        pairs = bias.split([images * n * n for n in counts], dim=1)
        masks = [
            of_image.unflatten(1, (images, n, n)).transpose(0, 1)
            for of_image, n in zip(pairs, counts, strict=True)
        ]
    if key_bias is not None:
        keys = key_bias.split([images * n for n in counts])
        of_keys = [x.view(images, 1, 1, -1) for x in keys]
        masks = [
            one if mask is None else mask + one for mask, one in zip(masks, of_keys, strict=True)
        ]
    return list(zip(rows, masks, strict=True))


# ---- the same, as one operator that torch.compile does not look into -----------------------------


@torch.library.custom_op(
    "spitgraph::packed_attention",
    mutates_args=(),
    schema="(Tensor q, Tensor k, Tensor v, Tensor offsets, Tensor? bias, Tensor? key_bias=None) "
    "-> Tensor",
)
def _packed_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    bias: Tensor | None,
    key_bias: Tensor | None = None,
) -> Tensor:
    return looped_attention(q, k, v, offsets.diff().tolist(), bias, key_bias)


@torch.library.custom_op(
    "spitgraph::packed_attention_backward",
    mutates_args=(),
    schema="(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor offsets, Tensor? bias, "
    "Tensor? key_bias) -> Tensor[]",
)
def _packed_attention_backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    bias: Tensor | None,
    key_bias: Tensor | None,
) -> list[Tensor]:
    """Gradients of q, k, v, and of the bias of pairs if there is one; that of keys is no variable.

    From recomputed probabilities.
    """
    dtype = torch.promote_types(q.dtype, torch.float32)
    scale = q.shape[-1] ** -0.5
    grads: list[tuple[Tensor, ...]] = []
    for rows, mask in _equal_images([grad, q, k, v], offsets.diff().tolist(), bias, key_bias):
        grad_out, q_, k_, v_ = (x.transpose(1, 2).to(dtype) for x in rows)  # [b, heads, n, d]
        logits = q_ @ k_.mT * scale
        probs = (logits if mask is None else logits + mask).softmax(dim=-1)
        grad_probs = grad_out @ v_.mT
        grad_logits = probs * (grad_probs - (grad_probs * probs).sum(dim=-1, keepdim=True))
        of_rows = (grad_logits @ k_ * scale, grad_logits.mT @ q_ * scale, probs.mT @ grad_out)
        parts = [x.transpose(1, 2).flatten(0, 1) for x in of_rows]
        if bias is not None:
            parts.append(grad_logits.transpose(0, 1).flatten(1))
        grads.append(tuple(parts))
    joined = [torch.cat(parts, dim=int(i == 3)) for i, parts in enumerate(zip(*grads, strict=True))]
    return [x.to(q.dtype).contiguous() for x in joined]


@_packed_attention.register_fake
def _(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    bias: Tensor | None,
    key_bias: Tensor | None = None,
) -> Tensor:
    return q.new_empty(q.shape)


@_packed_attention_backward.register_fake
def _(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    bias: Tensor | None,
    key_bias: Tensor | None,
) -> list[Tensor]:
    inputs = [q, k, v] if bias is None else [q, k, v, bias]
    return [x.new_empty(x.shape) for x in inputs]


def _save(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    q, k, v, offsets, bias, key_bias = ctx.saved_tensors
    grads = _packed_attention_backward(grad.contiguous(), q, k, v, offsets, bias, key_bias)
    return (*grads[:3], None, grads[3] if bias is not None else None, None)


_packed_attention.register_autograd(_backward, setup_context=_save)
