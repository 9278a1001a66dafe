"""A pretrained plain vision transformer becomes one that reads irregular tokens."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from spitgraph.checks import channel_statistics, integer
from spitgraph.extractors import InterpolationExtractor
from spitgraph.extractors.interpolation.layout import COLOUR
from spitgraph.models.assign import assign
from spitgraph.models.families import PATCH_SIZE
from spitgraph.models.files import ForeignContentError, state_dict
from spitgraph.models.names import VIT, renamed
from spitgraph.models.patch_embedding import (
    input_map,
    position_rows,
    resized_grid,
    resized_kernels,
)
from spitgraph.models.wrappers import plain_state, spit_inside, unwrapped
from spitgraph.tokenizers import PatchTokenizer

SOURCE = "the ViT's state dict"
#: What only the embedding of a plain ViT has.
CLASS, POSITIONS = "cls_token", "pos_embed"
KERNELS, BIAS = "patch_embed.proj.weight", "patch_embed.proj.bias"
#: Tokens beside the class token, and what else serves only the way a ViT was trained.
EXTRA_TOKENS = ("dist_token", "reg_token", "register_tokens")
DROPPED = (*EXTRA_TOKENS, "mask_token", "head_dist.weight", "head_dist.bias")


Model = TypeVar("Model", bound=nn.Module)


@torch.no_grad()
def retrofit(
    model: Model,
    vit_state_dict: Mapping[str, Any],
    *,
    image_size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Model:
    """Start from a standard pretrained ViT, by the key names of timm, DeiT and DINO.

    The patch projection becomes the colour rows of γ, the position table its position rows
    (METHOD 4.5); blocks, norm and head stay what they are. On patches of side β the model then
    gives the ViT's own logits; on other regions it has what to start from.

    * φ's colour f is contrast-adjusted (METHOD 3.1.1): "the ViT's own logits" are those with f as
      its input. For a ViT trained on (image − mean)/std, say both: the affine map from f to that
      which is closest, channel by channel, is folded into γ.
    * The position rows W solve W·h = p for all patches, h a patch's position histogram and p its
      row of the table: exactly, by the W of least norm, where there are no more patches a side than
      bins; otherwise as nearly as possible.
    * A table for another grid than that of `image_size` is resized (bicubic). Kernels of another
      side than β are, too, such that they see in a resized patch what they saw in the patch.
    * Register, distillation and mask tokens are left out, with their rows of the table. A ViT
      trained with them therefore changes a little.
    * What the ViT lacks changes nothing: LayerScale is 1, biases and the hop bias are 0, gradient
      histograms weigh 0. If the state dict has no head, the model keeps its own.

    Args:
        model: Any size of any tokenizer, with an `InterpolationExtractor`, alone or wrapped as for
            `load_weights`. Changed in place, but left exactly as it was if anything does not fit.
        vit_state_dict: Tensors by name, which `load_weights` says where to look for.
        image_size: Side of the square images for which the positions are solved; by default the
            model's, if it was created with one, or else that of as many patches as the table has.
        mean: What the ViT's input was centred by, of red, green and blue in [0, 1].
        std: What it was then divided by.

    Returns:
        The model.

    Raises:
        ValueError: A key is missing or left over, or a tensor has another shape; it is named.
        TypeError: The model is no `SPiT` or has another extractor, or an argument is of another
            type.
    """
    spit = spit_inside(model)
    extractor, tokenizer = unwrapped(spit.extractor), unwrapped(spit.tokenizer)
    if not isinstance(extractor, InterpolationExtractor):
        raise TypeError(f"expected an InterpolationExtractor, got {type(extractor).__name__}")
    try:
        vit = state_dict(vit_state_dict)
    except ForeignContentError as error:
        raise ForeignContentError(f"vit_state_dict: {error}") from None
    width = plain_state(model)["embedder.linear.weight"].shape[0]
    check_embedding(vit, width)
    patch_size = tokenizer.patch_size if isinstance(tokenizer, PatchTokenizer) else PATCH_SIZE

    class_row, grid = position_table(vit)
    if image_size is None:
        image_size = getattr(spit, "image_size", None)
    if image_size is not None:
        image_size = integer(image_size, "image_size")
        if image_size < patch_size or image_size % patch_size:
            raise ValueError(f"image_size must be a multiple of {patch_size}, got {image_size}")
        grid = resized_grid(grid, image_size // patch_size, image_size // patch_size)
    colour, bias = colour_rows(vit, extractor.bins, mean, std)

    rows = colour.new_zeros(len(colour), extractor.out_channels)
    for channel, kernels in zip(COLOUR, colour.unbind(-1), strict=True):
        rows[:, extractor.layout[channel]] = kernels
    rows[:, extractor.layout["position"]] = position_rows(grid, extractor, patch_size)
    tensors = {
        "embedder.linear.weight": rows,
        "embedder.linear.bias": bias,
        "embedder.cls_token": float64(vit[CLASS]) + class_row,
    }
    names = {
        "embedder.linear.weight": KERNELS,
        "embedder.linear.bias": BIAS,
        "embedder.cls_token": CLASS,
    }
    rest = vit.keys() - {CLASS, POSITIONS, KERNELS, BIAS, *DROPPED}
    names |= renamed(sorted(rest), VIT)
    tensors |= {ours: vit[theirs] for ours, theirs in names.items() if ours not in tensors}
    assign(model, neutral_parts(model, tensors) | tensors, names, SOURCE)
    return model


def check_embedding(vit: Mapping[str, Tensor], width: int) -> None:
    """Refuse an embedding that is not a class token, positions and square kernels of the width."""
    for key, expected in (
        (CLASS, (1, 1, width)),
        (POSITIONS, (1, None, width)),
        (KERNELS, (width, 3, None, None)),
        (BIAS, (width,)),
    ):
        if key not in vit:
            if key == BIAS:
                continue
            raise ValueError(f"{SOURCE} lacks {key}")
        shape = tuple(vit[key].shape)
        fits = len(shape) == len(expected) and all(
            wanted in (None, side) for side, wanted in zip(shape, expected, strict=True)
        )
        if not fits or (key == KERNELS and shape[2] != shape[3]):
            wanted_shape = ", ".join("n" if side is None else str(side) for side in expected)
            raise ValueError(f"{SOURCE}: {key} is {list(shape)}, and not [{wanted_shape}]")


def position_table(
    vit: Mapping[str, Tensor],
) -> tuple[Float64[Tensor, " D"], Float64[Tensor, "g g D"]]:
    """The class token's position, zero if it has none, and those of the patches.

    The rows that come before the patches' are those of the class and distillation tokens (DeiT), of
    registers too, or none (both in timm); registers of DINO have no position.
    """
    table = float64(vit[POSITIONS])[0]
    extra = {key: vit[key].shape[1] for key in EXTRA_TOKENS if key in vit}
    fitting = [
        before
        for before in {0, 1 + extra.get("dist_token", 0), 1 + sum(extra.values())}
        if len(table) > before and math.isqrt(len(table) - before) ** 2 == len(table) - before
    ]
    if len(fitting) != 1:
        which = "more than one" if fitting else "no"
        raise ValueError(f"{SOURCE}: {POSITIONS} has {len(table)} rows, for {which} square grid")
    before = fitting[0]
    side = math.isqrt(len(table) - before)
    class_row = table[0] if before else torch.zeros_like(table[0])
    return class_row, table[before:].unflatten(0, (side, side))


def colour_rows(
    vit: Mapping[str, Tensor],
    bins: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> tuple[Float64[Tensor, "D bins2 3"], Float64[Tensor, " D"]]:
    """The patch projection on φ's colour, and its bias."""
    kernels = resized_kernels(float64(vit[KERNELS]), bins).flatten(2)  # [D, 3, β²]
    bias = float64(vit[BIAS]) if BIAS in vit else kernels.new_zeros(len(kernels))
    statistics = channel_statistics(mean, std)
    if statistics is not None:
        scale, shift = input_map(*statistics)
        bias = bias + kernels.sum(2) @ shift
        kernels = kernels * scale[:, None]
    return kernels.mT, bias


def neutral_parts(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Values for what plain ViTs may lack, that leave them what they are; and the model's head."""
    with_head = any(key.startswith("head.") for key in tensors)
    parts = {}
    for key, value in plain_state(model).items():
        if key.endswith((".ls1.gamma", ".ls2.gamma")):
            parts[key] = torch.ones(value.shape, device="cpu")
        elif key.endswith(".attn.qkv.bias"):
            parts[key] = torch.zeros(value.shape, device="cpu")
        elif key.startswith("head.") and not with_head:
            if value.is_meta:
                raise ValueError(f"{SOURCE} has no head, and the model's is on the meta device")
            parts[key] = value.detach()
    return parts


def float64(tensor: Tensor) -> Tensor:
    """The tensor on the CPU, in the precision that equations are solved in."""
    return tensor.detach().cpu().double()
