"""What the speed benchmark compares, and how it is timed.

A method prepares photographs [H, W, 3] as it likes them best (outside the timing), is called with
what it prepared, and counts the tokens an image of what it returned. All can be pickled, so that a
fresh process can measure the memory of one.
"""

import gc
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import inf
from statistics import median
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from spitgraph import InterpolationExtractor, SuperpixelTokenizer, create_model
from spitgraph.kernels import plain

Images = Sequence[np.ndarray]  # each uint8 [H, W, 3]

#: Seconds before every call. Idle OpenMP threads (of PyTorch, of fast-slic) spin for milliseconds
#: after a parallel region and would take a core from whoever comes next. OMP_WAIT_POLICY=passive
#: would end that too, but slows fast-slic, whose parallel regions are many and short, to a fraction
#: of the speed that its users see: everyone runs with the defaults here.
PAUSE = 0.02


class Method(Protocol):
    device: str

    def prepared(self, images: Images) -> Any: ...

    def __call__(self, given: Any) -> Any: ...

    def num_tokens(self, result: Any) -> float: ...


@dataclass(frozen=True)
class Ours:
    """τ, or φ∘τ with 16 bins and gradients; a batch at a time."""

    count: int | None = None  # exact number of tokens; None: T = 4
    quality: str = "fast"
    is_plain: bool = False
    vectors: bool = False
    device: str = "cpu"

    def prepared(self, images: Images) -> Tensor:
        return _uint8_batch(images, self.device)

    @cached_property
    def steps(self) -> torch.nn.Sequential:
        """Made once, as users would."""
        tokenizer = SuperpixelTokenizer(4, num_tokens=self.count, quality=self.quality)
        extractor = [InterpolationExtractor(bins=16, gradient=True)] if self.vectors else []
        return torch.nn.Sequential(tokenizer, *extractor)

    def __call__(self, batch: Tensor) -> Any:
        with plain() if self.is_plain else nullcontext():
            tokens = self.steps(batch)
        _wait_for(self.device)
        return tokens

    def num_tokens(self, tokens: Any) -> float:
        return tokens.num_nodes / tokens.num_graphs


class VisionTransformer:
    """Forward pass of a ViT from patch vectors to logits: 196 tokens and the class token."""

    def __init__(
        self, device: str = "cpu", dtype: torch.dtype = torch.float32, name: str = "vit_base_16"
    ) -> None:
        self.device = device
        self.model = create_model(name).eval().to(device, dtype)

    @torch.inference_mode()
    def prepared(self, images: Images) -> Any:
        return self.model.tokenize(_uint8_batch(images, self.device))

    @torch.inference_mode()
    def __call__(self, tokens: Any) -> Any:
        self.model.forward_tokens(tokens)
        _wait_for(self.device)
        return tokens

    def num_tokens(self, tokens: Any) -> float:
        return 1 + tokens.num_nodes / tokens.num_graphs


@dataclass(frozen=True)
class Peer:
    """A superpixel function of others, an image after the other or `at_once` side by side."""

    labels: Callable[[np.ndarray, int, int], np.ndarray]  # of image, setting, number of threads
    setting: int
    threads: int
    at_once: int = 1
    device: str = "cpu"

    def prepared(self, images: Images) -> list[np.ndarray]:
        return [np.ascontiguousarray(image) for image in images]

    def __call__(self, images: list[np.ndarray]) -> list[np.ndarray]:
        def one(image: np.ndarray) -> np.ndarray:
            return self.labels(image, self.setting, self.threads)

        return list((map if self.at_once == 1 else _pool(self.at_once).map)(one, images))

    def num_tokens(self, labels: list[np.ndarray]) -> float:
        return float(np.mean([len(np.unique(of_image)) for of_image in labels]))

    def side_by_side(self) -> "Peer":
        """As many images at once as there are threads, each with one thread."""
        return replace(self, threads=1, at_once=self.threads)

    def matched(self, target: float, settings: range, images: Images) -> "Peer":
        """With the setting, from few regions to many, that comes nearest to `target` tokens."""

        @cache
        def count(setting: int) -> float:
            method = replace(self, setting=setting)
            return method.num_tokens(method(method.prepared(images)))

        index = bisect_left(settings, target, hi=len(settings) - 1, key=count)
        around = settings[max(0, index - 1) : index + 1]
        return replace(self, setting=min(around, key=lambda setting: abs(count(setting) - target)))


def fast_slic(image: np.ndarray, num_components: int, threads: int) -> np.ndarray:
    try:
        from fast_slic.avx2 import SlicAvx2 as Slic
    except ImportError:  # another processor, or a build without
        from fast_slic import Slic
    # Its labels have 16 bits, and more clusters than pixels end the process.
    num_components = min(num_components, image.shape[0] * image.shape[1] // 4, 65533)
    # A new object for every image: an old one would start from the clusters of the image before.
    return Slic(num_components, num_threads=threads).iterate(image)


def skimage_slic(image: np.ndarray, n_segments: int, threads: int) -> np.ndarray:
    from skimage.segmentation import slic

    return slic(image, n_segments=n_segments, compactness=10)


def skimage_felzenszwalb(image: np.ndarray, scale: int, threads: int) -> np.ndarray:
    from skimage.segmentation import felzenszwalb

    return felzenszwalb(image, scale=scale, sigma=0.8, min_size=20)


PEERS = {
    "fast-slic": fast_slic,
    "scikit-image SLIC": skimage_slic,
    "scikit-image Felzenszwalb": skimage_felzenszwalb,
}
BY_COUNT = ("fast-slic", "scikit-image SLIC")  # whose setting is a number of regions
SCALES = range(2000, 0, -1)  # of the others


def peers(target: float, images: Images, threads: int) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers at about `target` tokens an image; and those that cannot be had, and why."""
    found, missing = {}, {}
    for name, labels in PEERS.items():
        settings = range(int(target / 2), int(3 * target)) if name in BY_COUNT else SCALES
        try:
            found[name] = Peer(labels, settings[0], threads).matched(target, settings, images)
        except ImportError as error:
            missing[name] = str(error)
    return found, missing


class Timing(NamedTuple):
    """Rounds of one method on all its images."""

    seconds: float  # median
    best: float
    cores: float  # busy, median
    tokens: float  # an image


def timings(
    methods: Mapping[str, Method], images: Images, rounds: int, seconds: float = inf
) -> dict[str, Timing]:
    """All methods in turns, every round in another order.

    A method rests once its calls took so many `seconds`: after three, or one that long alone.
    """

    def rests(name: str) -> bool:
        return sum(wall[name]) >= seconds and (len(wall[name]) >= 3 or max(wall[name]) >= seconds)

    gc.collect()
    gc.freeze()  # what is left: the collections below take no time
    given = {name: method.prepared(images) for name, method in methods.items()}
    wall: dict[str, list[float]] = {name: [] for name in methods}
    busy: dict[str, list[float]] = {name: [] for name in methods}
    tokens = {}
    for turn in range(rounds):
        going = [name for name in methods if not rests(name)]
        for name in random.Random(turn).sample(going, len(going)):
            gc.collect()
            time.sleep(PAUSE)
            cpu, start = time.process_time(), time.perf_counter()
            result = methods[name](given[name])
            wall[name].append(time.perf_counter() - start)
            busy[name].append((time.process_time() - cpu) / wall[name][-1])
            if turn == 0:
                tokens[name] = methods[name].num_tokens(result)
            del result  # outside the timing
    gc.unfreeze()
    return {n: Timing(median(wall[n]), min(wall[n]), median(busy[n]), tokens[n]) for n in methods}


def _uint8_batch(images: Images, device: str) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().to(device)


def _wait_for(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)
