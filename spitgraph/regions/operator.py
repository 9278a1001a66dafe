"""`describe_regions` as a PyTorch operator, with a compiled body a device."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spitgraph import kernels
from spitgraph.attributes import ATTRIBUTES
from spitgraph.modes import exact_device, is_eager
from spitgraph.regions.describe import Regions
from spitgraph.regions.describe import describe_regions as describe_plainly


def describe_regions(
    images: Sequence[Tensor], cluster: Tensor, num_regions: Sequence[int]
) -> Regions:
    """Measure the regions of a batch of images; the same bits by every body.

    See `spitgraph.regions.describe.describe_regions` for what is taken and given. Images of a
    device without float64 are measured on the CPU.
    """
    device = cluster.device
    host = exact_device(device)
    if host != device:
        there = [image.to(host) for image in images]
        described = describe_regions(there, cluster.to(host), num_regions)
        moved = {name: value.to(device) for name, value in described._asdict().items()}
        return Regions(**moved | {"num_edges": described.num_edges})
    if not kernels.fused(cluster.device, "regions"):
        return describe_plainly(images, cluster, num_regions)
    cluster = cluster.contiguous()
    if is_eager((cluster, *images)):
        from spitgraph.regions import cpu

        return cpu.describe_regions(images, cluster, num_regions)
    return Regions(*measured(list(images), cluster, list(num_regions)))


@torch.library.custom_op(
    "spitgraph::describe_regions",
    mutates_args=(),
    device_types="cpu",
    schema="(Tensor[] images, Tensor cluster, SymInt[] num_regions) -> "
    f"({', '.join(['Tensor'] * len(Regions._fields))})",
)
def measured(
    images: Sequence[Tensor], cluster: Tensor, num_regions: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """`Regions`, in their order."""
    from spitgraph.regions import cpu

    return tuple(cpu.describe_regions(images, cluster, num_regions))  # type: ignore[return-value]


@measured.register_kernel("cuda")
def _(images: Sequence[Tensor], cluster: Tensor, num_regions: Sequence[int]) -> tuple[Tensor, ...]:
    from spitgraph.regions import cuda

    return tuple(cuda.describe_regions(list(images), cluster, list(num_regions)))


@measured.register_fake
def _(images: Sequence[Tensor], cluster: Tensor, num_regions: Sequence[int]) -> tuple[Tensor, ...]:
    counts: dict[str, int | torch.SymInt] = {
        "N": sum(num_regions),
        "E": torch.library.get_ctx().new_dynamic_size(),
        "P": cluster.shape[0],
    }
    described = [ATTRIBUTES[name].empty(counts, cluster) for name in Regions._fields[:-1]]
    return (*described, cluster.new_empty(len(images), device="cpu"))
