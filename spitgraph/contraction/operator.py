"""The fused steps as PyTorch operators, one implementation a device.

Tensors of a batch hold its images one after the other: P pixels in all, N tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

#: Types of the devices whose kernels exist.
CPU, CUDA = "cpu", "cuda"


@torch.library.custom_op("spitgraph::superpixels", mutates_args=(), device_types=CPU)
def superpixels(
    images: Sequence[Tensor],
    steps: Tensor | None,
    levels: int,
    num_regions: int,
    similarity: str,
    compactness: float,
) -> tuple[
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
]:
    """Contract images into token graphs (METHOD 1–3).

    Args:
        images: [3, H, W] RGB, uint8 or float32 in [0, 1]; float32 if there are `steps`.
        steps: [C, P] int32, quantised comparison features; None for those of `"lab"`.
        levels: Contraction steps, if `num_regions` is 0.
        num_regions: Exact count of regions of each image, or 0.
        similarity: Name of the edge weight.
        compactness: λ.

    Returns:
        As in a batch of `TokenData`: `pixels` [P, 3], `cluster` [P], `hierarchy`, `level_sizes`,
        `num_levels` [B]; tokens of each image [B]; `size` [N], `bbox` [N, 4], `pos` [N, 2], `color`
        [N, 3], `edge_index` [2, E], `edge_attr` [E, 1]; edges of each image [B]. `num_levels` and
        the tokens of each image are on the CPU, the rest where the images are.
    """
    from spitgraph.contraction.cpu.batch import superpixels

    return superpixels(images, steps, levels, num_regions, similarity, compactness)  # type: ignore[return-value]


@superpixels.register_kernel(CUDA)
def _(
    images: Sequence[Tensor],
    steps: Tensor | None,
    levels: int,
    num_regions: int,
    similarity: str,
    compactness: float,
) -> tuple[Tensor, ...]:
    from spitgraph.contraction.cuda.batch import superpixels

    return superpixels(images, steps, levels, num_regions, similarity, compactness)


@superpixels.register_fake
def _(
    images: Sequence[Tensor],
    steps: Tensor | None,
    levels: int,
    num_regions: int,
    similarity: str,
    compactness: float,
) -> tuple[Tensor, ...]:
    context = torch.library.get_ctx()
    num_pixels = sum(image.shape[1] * image.shape[2] for image in images)
    num_tokens = num_regions * len(images) if num_regions else context.new_dynamic_size()
    num_edges = context.new_dynamic_size()

    def integers(*shape: int | torch.SymInt, device: str | None = None) -> Tensor:
        return images[0].new_empty(shape, dtype=torch.int64, device=device)

    def floats(*shape: int | torch.SymInt) -> Tensor:
        return images[0].new_empty(shape, dtype=torch.float32)

    return (
        floats(num_pixels, 3),
        integers(num_pixels),
        integers(context.new_dynamic_size()),
        integers(context.new_dynamic_size()),
        integers(len(images), device=CPU),
        integers(len(images), device=CPU),
        integers(num_tokens),
        integers(num_tokens, 4),
        floats(num_tokens, 2),
        floats(num_tokens, 3),
        integers(2, num_edges),
        floats(num_edges, 1),
        integers(len(images)),
    )
