"""How much two partitions of one image agree, whatever their labels are called.

Both may come from anywhere: two tokenizers, a tokenizer and a person, or one tokenizer before and
after the image changed a little. S runs over the regions of one partition, g over those of the
other, |·| counts pixels, N = H·W.
"""

import torch

from spitgraph.extensions import scatter_max
from spitgraph.metrics.label_maps import LabelMap, checked_pair, overlaps


def segmentation_covering(labels: LabelMap, truth: LabelMap) -> float:
    """How well regions of the partition match those of the other, the best one for each.

        C = Σ_g |g| / N · max_S |S ∩ g| / |S ∪ g|

    It is the intersection over union of each true region with the region most like it, weighted by
    size. Covering of `truth` by `labels` is not that of `labels` by `truth`.

    Args:
        labels: the partition, integer or bool [H, W].
        truth: the one to be covered, integer or bool [H, W].

    Returns:
        Above 0 and at most 1, which only the same partition reaches.

    Raises:
        TypeError: for what is no tensor or array of integers or bools.
        ValueError: for another shape, an empty map, or maps of different sizes.

    Source: Arbeláez, Maire, Fowlkes & Malik (2011), "Segmentation Covering".
    """
    found, wanted = checked_pair(labels, truth)
    part = overlaps(found, wanted)
    size, other_size = part.size.double(), part.other_size.double()
    shared = part.overlap.double()
    union = size[part.region] + other_size[part.other] - shared
    best = scatter_max(shared / union, part.other, torch.zeros_like(other_size))
    return float((other_size * best).sum()) / found.numel()


def variation_of_information(labels: LabelMap, truth: LabelMap) -> float:
    """What one partition leaves unknown of the other, and the other of it, in bits.

        VI = H(S | g) + H(g | S) = − Σ_S Σ_g p (log₂ p / p_S + log₂ p / p_g),  p = |S ∩ g| / N

    A distance: symmetric, 0 for the same partition only, and no longer than any way round.

    Args:
        labels: a partition, integer or bool [H, W].
        truth: another, integer or bool [H, W].

    Returns:
        At least 0 and at most log₂ N, lower is better.

    Raises:
        TypeError: for what is no tensor or array of integers or bools.
        ValueError: for another shape, an empty map, or maps of different sizes.

    Source: Meilă (2007).
    """
    found, wanted = checked_pair(labels, truth)
    part = overlaps(found, wanted)
    shared = part.overlap.double()
    unknown = shared * (part.size[part.region] / shared).log2()
    unknown += shared * (part.other_size[part.other] / shared).log2()
    return float(unknown.sum()) / found.numel()
