"""A pretrained plain vision transformer becomes one that reads irregular tokens."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from spitgraph.checks import channel_statistics, integer
from spitgraph.extractors import InterpolationExtractor, WindowExtractor
from spitgraph.extractors.interpolation.colour import Statistics
from spitgraph.models.families import PATCH_SIZE
from spitgraph.models.patch_embedding import colour_rows, input_map, position_rows
from spitgraph.models.vit import CLASS, UNCHANGED, assign_vit, read_vit, with_grid
from spitgraph.models.vit_names import SOURCE
from spitgraph.models.wrappers import spit_inside, unwrapped
from spitgraph.nn import TokenEmbedder
from spitgraph.tokenizers import PatchTokenizer

Model = TypeVar("Model", bound=nn.Module)


@torch.no_grad()
def retrofit(
    model: Model,
    vit_state_dict: Mapping[str, Any],
    *,
    image_size: int | None = None,
    mean: Any = None,
    std: Any = None,
) -> Model:
    """Start from a standard pretrained ViT, by any names that `from_vit` knows.

    The patch projection becomes the colour rows of γ, the position table its position rows, or that
    of a model which has one (METHOD 4.5); blocks, norm and head stay what they are. On patches of
    side β the model then gives the ViT's own logits; on other regions it has what to start from.

    * What "the ViT's own logits" are depends on φ's colour, which is their input. For a ViT trained
      on (image − mean)/std, say both. If the model's extractor normalises colour, this is exact,
      whatever it normalises by. If its colour f is contrast-adjusted (METHOD 3.1.1), the affine map
      from f to that which is closest, channel by channel, is folded into γ.
    * The position rows W solve W·h = p for all patches, h a patch's position histogram and p its
      row of the table: exactly, by the W of least norm, where there are no more patches a side than
      bins; otherwise as nearly as possible.
    * A table for another grid than that of `image_size` is resized (bicubic). Kernels of another
      side than β are, too, such that they see in a resized patch what they saw in the patch.
    * Patches of another side than β (`patch_size`) are stretched to β×β, as regions are. There are
      as many of them as positions are resized to, and the logits come close to the ViT's.
    * Registers and distillation tokens go where the model has `registers` of their number.
      Otherwise they are left out, with their rows of the table, and the ViT changes a little.
    * What the ViT lacks changes nothing: LayerScale is 1, biases and the hop bias are 0, gradient
      histograms weigh 0. If the state dict has no head, the model keeps its own.

    Args:
        model: Any size of any tokenizer, with an `InterpolationExtractor`, or a `WindowExtractor`
            and a `position_grid`, alone or wrapped as for
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
    if not isinstance(extractor, InterpolationExtractor | WindowExtractor):
        kind = type(extractor).__name__
        raise TypeError(f"expected an InterpolationExtractor or a WindowExtractor, got {kind}")
    embedder = unwrapped(spit.embedder)
    if not isinstance(embedder, TokenEmbedder):
        raise TypeError(f"expected a TokenEmbedder, got {type(embedder).__name__}")
    vit = read_vit(vit_state_dict)
    if vit.class_token is None and embedder.cls_token is not None:
        raise ValueError(f"{SOURCE} lacks {CLASS}; create the model with class_token=False")
    patch_size = tokenizer.patch_size if isinstance(tokenizer, PatchTokenizer) else PATCH_SIZE
    size = told_size(spit, image_size, patch_size)
    if size is not None:
        vit = with_grid(vit, size // patch_size, size // patch_size)
    scale, shift = input_map(own_statistics(extractor), channel_statistics(mean, std))
    bias = vit.bias + vit.kernels.sum((2, 3)) @ shift
    rows = colour_rows(vit.kernels * scale[:, None, None], extractor)
    if embedder.position_grid is not None:
        vit = with_grid(vit, *embedder.position_grid)
    elif isinstance(extractor, InterpolationExtractor):
        rows[:, extractor.layout["position"]] = position_rows(vit.grid, extractor, patch_size)
    else:
        grid = tuple(vit.grid.shape[:2])
        raise ValueError(f"windows do not say where they are: create it with position_grid={grid}")
    assign_vit(model, vit, rows, bias)
    return model


def own_statistics(extractor: InterpolationExtractor | WindowExtractor) -> Statistics | None:
    """Mean and std that an extractor normalises colour by; None where it adjusts contrast."""
    if extractor.mean is not None and extractor.std is not None:
        return extractor.mean, extractor.std
    return UNCHANGED if isinstance(extractor, WindowExtractor) else None


def told_size(spit: nn.Module, image_size: int | None, patch_size: int) -> int | None:
    """Side of the images that positions are for, if it is told, or was when the model was made."""
    if image_size is None:
        image_size = getattr(spit, "image_size", None)
    if image_size is None:
        return None
    image_size = integer(image_size, "image_size")
    if image_size < patch_size or image_size % patch_size:
        raise ValueError(f"image_size must be a multiple of {patch_size}, got {image_size}")
    return image_size
