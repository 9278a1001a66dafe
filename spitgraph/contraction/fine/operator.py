"""Refinement of any partition, by the body that serves."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph import kernels
from spitgraph.contraction.fine.graph import coarsened
from spitgraph.contraction.fine.hierarchy import channel_weights
from spitgraph.contraction.fine.refine import refine
from spitgraph.contraction.graph import quantise
from spitgraph.pixels import comparison_features


def refined(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    labels: Sequence[Int64[Tensor, "_H _W"]],
    passes: int,
) -> list[Int64[Tensor, "_H _W"]]:
    """Partitions whose border pixels have changed sides for the better; the same by every body.

    Args:
        images: RGB, uint8 or float32 in [0, 1]; Lab is compared.
        labels: Regions 0 … n − 1 of each image, all of them connected.
        passes: How many.
    """
    results = []
    for image, label in zip(images, labels, strict=True):
        features = comparison_features(image, "lab")
        features_q = coarsened(quantise(features)).view(-1, *label.shape)
        _, weights = channel_weights(features_q, lab=True)
        host = features.device  # for devices without float64, the CPU
        by = refine_fused if host.type == "cpu" and kernels.fused(host, "fine") else refine
        results.append(by(label.to(host), features_q, weights, passes).to(label.device))
    return results


def refine_fused(
    label: Int64[Tensor, "H W"],
    features_q: Int64[Tensor, "C H W"],
    weights: Int64[Tensor, " C"],
    passes: int,
) -> Int64[Tensor, "H W"]:
    """`refine`, compiled for the CPU."""
    import numpy as np

    from spitgraph.contraction.fine.cpu.refine import refine
    from spitgraph.contraction.fine.cpu.rounds import pool_pixels

    height, width = label.shape
    labels = label.flatten().numpy().astype(np.uint32)
    steps, counts = features_q.flatten(1).int().numpy(), weights.numpy()
    held = pool_pixels(steps, counts, labels, int(labels.max()) + 1)
    refine(labels, height, width, steps, counts, counts, held, passes)
    return torch.from_numpy(labels.astype(np.int64)).view(height, width)
