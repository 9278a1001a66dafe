"""Superpixels of others, each by one number that says how many, for the quality benchmark.

A method is a function (image uint8 [H, W, 3], setting) → labels [H, W]. Some take the count itself,
others a number that has to be searched for.
"""

from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import NamedTuple

import numpy as np

Labels = np.ndarray
Method = Callable[[np.ndarray, int], Labels]


class Peer(NamedTuple):
    """A method, and the settings among which the count is searched for, from few regions to many.

    Without settings it takes the count.
    """

    method: Method
    settings: Callable[[int, int], range] | None = None


def slic(image: np.ndarray, setting: int) -> Labels:
    from skimage.segmentation import slic

    return slic(image, n_segments=setting, compactness=10)


def felzenszwalb(image: np.ndarray, setting: int) -> Labels:
    from skimage.segmentation import felzenszwalb

    # one number to search: a scale of a third of it suits both counts
    return felzenszwalb(image, scale=setting // 3, sigma=0.8, min_size=setting)


def fast_slic(image: np.ndarray, setting: int) -> Labels:
    from fast_slic.avx2 import SlicAvx2

    return SlicAvx2(num_components=setting, compactness=10).iterate(np.ascontiguousarray(image))


def seeds(image: np.ndarray, setting: int) -> Labels:
    import cv2

    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    height, width = image.shape[:2]
    method = cv2.ximgproc.createSuperpixelSEEDS(width, height, 3, setting, 3, 2, 5)
    method.iterate(lab, 10)
    return method.getLabels()


def lsc(image: np.ndarray, setting: int) -> Labels:
    import cv2

    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    method = cv2.ximgproc.createSuperpixelLSC(lab, setting, 0.075)
    method.iterate(10)
    method.enforceLabelConnectivity(25)
    return method.getLabels()


def ward(image: np.ndarray, setting: int) -> Labels:
    """Greedy Ward tree on RGB: the cheapest merge of all, one after the other."""
    import higra

    graph = higra.get_4_adjacency_graph(image.shape[:2])
    pixels = image.reshape(-1, 3).astype(np.float64)
    tree = higra.binary_partition_tree_ward_linkage(graph, pixels)
    return higra.labelisation_horizontal_cut_from_num_regions(*tree, setting)


def ward_lab(image: np.ndarray, setting: int) -> Labels:
    """The same on Lab."""
    import higra
    from skimage.color import rgb2lab

    graph = higra.get_4_adjacency_graph(image.shape[:2])
    tree = higra.binary_partition_tree_ward_linkage(graph, rgb2lab(image).reshape(-1, 3))
    return higra.labelisation_horizontal_cut_from_num_regions(*tree, setting)


def watershed(image: np.ndarray, setting: int, by: str) -> Labels:
    """Hierarchical watershed of the gradient in Lab."""
    import higra
    from skimage.color import rgb2lab

    graph = higra.get_4_adjacency_graph(image.shape[:2])
    pixels = rgb2lab(image).reshape(-1, 3)
    gradient = higra.weight_graph(graph, pixels, higra.WeightFunction.L2)
    tree = getattr(higra, f"watershed_hierarchy_by_{by}")(graph, gradient)
    return higra.labelisation_horizontal_cut_from_num_regions(*tree, setting)


#: By name; settings are of the count that is wanted, and the pixels of an image.
PEERS = {
    "scikit-image SLIC": Peer(slic, lambda count, area: range(count, 2 * count)),
    "scikit-image Felzenszwalb": Peer(
        felzenszwalb, lambda count, area: range(max(2, area // count), 0, -1)
    ),
    "fast-slic": Peer(fast_slic, lambda count, area: range(count // 2, 2 * count)),
    "OpenCV SEEDS": Peer(seeds, lambda count, area: range(count // 2, 4 * count)),
    "OpenCV LSC": Peer(lsc, lambda count, area: range(int((2 * area / count) ** 0.5), 3, -1)),
    "Higra Ward tree, RGB": Peer(ward),
    "Higra Ward tree, Lab": Peer(ward_lab),
    "Higra watershed by volume": Peer(partial(watershed, by="volume")),
    "Higra watershed by area": Peer(partial(watershed, by="area")),
}


def matched(
    peer: Peer, target: int, images: list[np.ndarray]
) -> tuple[Callable[[np.ndarray], Labels], int]:
    """The method at the setting that comes nearest to `target` regions on average; the setting."""
    if peer.settings is None:
        return partial(_at, peer.method, target), target
    settings = peer.settings(target, int(np.mean([image[..., 0].size for image in images])))

    @cache
    def mean_count(setting: int) -> float:
        return float(np.mean([len(np.unique(peer.method(image, setting))) for image in images]))

    index = bisect_left(settings, target, hi=len(settings) - 1, key=mean_count)
    around = settings[max(0, index - 1) : index + 1]
    setting = min(around, key=lambda setting: abs(mean_count(setting) - target))
    return partial(_at, peer.method, setting), setting


def _at(method: Method, setting: int, image: np.ndarray) -> Labels:
    return method(image, setting)


def installed() -> dict[str, Peer]:
    """Those whose packages are there; others are named."""
    found, tiny = {}, np.zeros((16, 16, 3), np.uint8)
    tiny[:8, :8] = 200
    for name, peer in PEERS.items():
        try:
            with suppress(ValueError, RuntimeError):
                peer.method(tiny, 4)
            found[name] = peer
        except (ImportError, AttributeError) as error:
            print(f"{name} is left out: {error}")
    return found
