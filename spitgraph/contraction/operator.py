"""`contract` as a PyTorch operator, with a compiled body a device."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph import kernels
from spitgraph.contraction.fine.hierarchy import check_magnitude, contract_fine
from spitgraph.contraction.graph import RegionGraph, level_zero, quantise
from spitgraph.contraction.hierarchy import contract_graph
from spitgraph.hierarchy import Hierarchy
from spitgraph.kernels import limits
from spitgraph.modes import exact_device, is_eager
from spitgraph.pixels import comparison_features
from spitgraph.settings import Settings


def contract(images: Sequence[Shaped[Tensor, "3 _H _W"]], settings: Settings) -> Hierarchy:
    """Contract images into superpixels (METHOD 1-3); the same bits by every body.

    Those of a device without float64 are contracted on the CPU.

    Args:
        images: RGB, uint8 or float32 in [0, 1], on one device.
        settings: How far, and how.

    Raises:
        ValueError: More regions are asked for than an image has pixels.
    """
    sizes = [(image.shape[1], image.shape[2]) for image in images]
    check_count(sizes, settings)
    device = images[0].device
    host = exact_device(device)
    if has_body(host, settings) and fits(sizes, host):
        lab = settings.features == "lab" and settings.similarity != "cosine"
        features_q = None if lab else quantised_features(images, settings)
        if lab or features_q is not None:
            there = images if host == device else [image.to(host) for image in images]
            hierarchy = _contracted(there, features_q, settings)
            return hierarchy if host == device else hierarchy.to(device)
    if settings.is_fine:
        assert settings.num_tokens is not None
        steps, lab = [quantised(image, settings) for image in images], settings.features == "lab"
        return contract_fine(steps, sizes, settings.num_tokens, lab=lab).to(device)
    return contract_graph(image_graph(images, settings), settings).to(device)


def _contracted(
    images: Sequence[Tensor], features_q: Tensor | None, settings: Settings
) -> Hierarchy:
    """By the operator, or by what it calls."""
    if is_eager(images):
        return _contract_on_cpu(images, features_q, settings)
    return Hierarchy(*contracted(list(images), features_q, settings.to_json()))


def _contract_on_cpu(
    images: Sequence[Tensor], features_q: Tensor | None, settings: Settings
) -> Hierarchy:
    if settings.is_fine:
        from spitgraph.contraction.fine.cpu.batch import contract
    else:
        from spitgraph.contraction.cpu.batch import contract
    return contract(images, features_q, settings)


def has_body(device: torch.device, settings: Settings) -> bool:
    """Whether a compiled body of the rule serves, now; a similarity of one's own has none."""
    if not isinstance(settings.similarity, str):
        return False
    return kernels.fused(device, "fine" if settings.is_fine else "contraction")


def check_count(sizes: list[tuple[int, int]], settings: Settings) -> None:
    """Refuse a count of regions above that of an image's pixels."""
    if settings.num_tokens is None:
        return
    for index, (height, width) in enumerate(sizes):
        if settings.num_tokens > height * width:
            raise ValueError(
                f"num_tokens={settings.num_tokens} is more than the {height * width} pixels of "
                f"image {index} ({height}×{width})"
            )


def fits(sizes: list[tuple[int, int]], device: torch.device) -> bool:
    """Whether a compiled body can number the pixels of these images."""
    areas = [height * width for height, width in sizes]
    if device.type == "cuda":
        return sum(areas) <= limits.CUDA_PIXELS and len(areas) <= limits.CUDA_IMAGES
    return max(areas) <= limits.CPU_PIXELS


def image_graph(images: Sequence[Shaped[Tensor, "3 _H _W"]], settings: Settings) -> RegionGraph:
    """Level 0 of a batch of images: their grids, and what is compared of their pixels."""
    return level_zero(
        [comparison_features(image, settings.features, settings.similarity) for image in images],
        [(image.shape[1], image.shape[2]) for image in images],
        with_boxes=settings.compactness > 0,
    )


def quantised_features(
    images: Sequence[Shaped[Tensor, "3 _H _W"]], settings: Settings
) -> Shaped[Tensor, "C P"] | None:
    """Quantised features of a batch as int32; None where some are too large for that."""
    features_q = torch.cat([quantised(image, settings) for image in images], dim=1)
    if settings.is_fine:
        check_magnitude(features_q)
    low, high = features_q.aminmax()
    return features_q.int() if bool(low >= -(2**31)) and bool(high < 2**31) else None


def quantised(image: Shaped[Tensor, "3 H W"], settings: Settings) -> Int64[Tensor, "C HW"]:
    """What is compared of an image's pixels, in whole steps."""
    return quantise(comparison_features(image, settings.features, settings.similarity))


@torch.library.custom_op(
    "spitgraph::contract",
    mutates_args=(),
    device_types="cpu",
    schema="(Tensor[] images, Tensor? features_q, str settings) -> "
    f"({', '.join(['Tensor'] * len(Hierarchy._fields))})",
)
def contracted(
    images: Sequence[Tensor], features_q: Tensor | None, settings: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`Hierarchy`, in its order.

    Args:
        images: As `contract` takes them.
        features_q: [C, P] int32, quantised comparison features; None for those of `"lab"`.
        settings: What `Settings.to_json` wrote.
    """
    wanted = Settings.from_json(settings)
    return tuple(_contract_on_cpu(images, features_q, wanted))  # type: ignore[return-value]


@contracted.register_kernel("cuda")
def _(images: Sequence[Tensor], features_q: Tensor | None, settings: str) -> tuple[Tensor, ...]:
    wanted = Settings.from_json(settings)
    if wanted.is_fine:
        from spitgraph.contraction.fine.cuda.hierarchy import contract
    else:
        from spitgraph.contraction.cuda.hierarchy import contract

    return tuple(contract(list(images), features_q, wanted))


@contracted.register_fake
def _(images: Sequence[Tensor], features_q: Tensor | None, settings: str) -> tuple[Tensor, ...]:
    context = torch.library.get_ctx()
    num_pixels = sum(image.shape[1] * image.shape[2] for image in images)

    def integers(count: int | torch.SymInt, device: str | None = None) -> Tensor:
        return images[0].new_empty(count, dtype=torch.int64, device=device)

    return (
        integers(context.new_dynamic_size()),
        integers(context.new_dynamic_size(), device="cpu"),
        integers(len(images), device="cpu"),
        integers(num_pixels),
    )
