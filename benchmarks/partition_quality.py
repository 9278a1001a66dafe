"""Partition quality on images with human segmentations: ours, and scikit-image's at matched counts.

    python benchmarks/partition_quality.py FOLDER [--num-tokens 628 151] [--limit N] [--csv OUT]

FOLDER holds `ID.jpg` and `ID.npz` (`segmentations` [annotators, H, W]). Each image goes through all
methods in turn, in one process, so that times may be compared with each other. Metrics: METHOD
section 9, averaged over annotators, then over images.
"""

import argparse
import os
import platform
import time
from bisect import bisect_left
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from machine import processor
from PIL import Image
from tqdm import tqdm

from spitgraph import SuperpixelTokenizer, kernels, metrics
from spitgraph.contraction.weights import SIMILARITIES
from spitgraph.pixels import FEATURES

try:
    import pandas as pd
    from skimage.segmentation import felzenszwalb, slic
except ImportError as error:
    raise SystemExit(f'{error.name} is missing: pip install "spitgraph[bench]"') from None

Partition = partial  # of a function: image [H, W, 3] -> labels [H, W]

MATCHING_IMAGES = 20  # about as many serve to find the peers' parameters
BY_TRUTH = [
    ("BR", metrics.boundary_recall),
    ("UE", metrics.undersegmentation_error),
    ("ASA", metrics.achievable_segmentation_accuracy),
]
DIGITS = {"n": 0, "BR": 3, "UE": 4, "ASA": 4, "EV": 3, "compactness": 3, "ms": 1}


class Sample(NamedTuple):
    image: np.ndarray  # uint8 [H, W, 3]
    truths: np.ndarray  # [annotators, H, W]


def read_sample(path: Path) -> Sample:
    with np.load(path.with_suffix(".npz")) as file:
        return Sample(np.array(Image.open(path).convert("RGB")), file["segmentations"])


def ours(num_tokens: int) -> dict[str, Partition]:
    """The superpixel tokenizer with every similarity and feature preset."""
    tokenizers = {
        f"spitgraph {similarity}, {features}": SuperpixelTokenizer(
            num_tokens=num_tokens, similarity=similarity, features=features
        )
        for similarity in SIMILARITIES
        for features in FEATURES
    }
    return {name: partial(_segments, tokenizer=tokenizer) for name, tokenizer in tokenizers.items()}


def _segments(image: np.ndarray, tokenizer: SuperpixelTokenizer) -> torch.Tensor:
    return tokenizer(image).seg[0]


def _slic(n_segments: int) -> Partition:
    return partial(slic, n_segments=n_segments, compactness=10)


def _felzenszwalb(min_size: int) -> Partition:
    # One number to search: a scale of a third of it suits both counts.
    return partial(felzenszwalb, scale=min_size // 3, sigma=0.8, min_size=min_size)


def peers(num_tokens: int, images: list[np.ndarray]) -> dict[str, Partition]:
    """SLIC and Felzenszwalb, their parameters such that images get `num_tokens` on average."""
    token_size = int(np.mean([image[..., 0].size for image in images])) // num_tokens
    n_segments = range(num_tokens, 2 * num_tokens)  # SLIC makes fewer regions than asked
    min_sizes = range(max(2, token_size), 0, -1)
    return {
        "scikit-image SLIC": matched(_slic, num_tokens, images, n_segments),
        "scikit-image Felzenszwalb": matched(_felzenszwalb, num_tokens, images, min_sizes),
    }


def matched(
    method: Callable[[int], Partition], target: int, images: list[np.ndarray], settings: range
) -> Partition:
    """The method at the setting, from few regions to many, that comes nearest to `target`."""

    @cache
    def mean_count(setting: int) -> float:
        return float(np.mean([len(np.unique(method(setting)(image))) for image in images]))

    index = bisect_left(settings, target, hi=len(settings) - 1, key=mean_count)
    around = settings[max(0, index - 1) : index + 1]
    setting = min(around, key=lambda setting: abs(mean_count(setting) - target))
    found = method(setting)
    print(f"{found.func.__name__} {found.keywords}: {mean_count(setting):.0f} regions")
    return found


def measured(partition: Partition, sample: Sample) -> dict[str, float]:
    """Metrics and time of one method on one image."""
    start = time.perf_counter()
    labels = torch.as_tensor(partition(sample.image))
    elapsed = time.perf_counter() - start
    image = torch.from_numpy(sample.image).permute(2, 0, 1)
    return {
        "n": len(labels.unique()),
        **{name: np.mean([f(labels, truth) for truth in sample.truths]) for name, f in BY_TRUTH},
        "EV": metrics.explained_variation(labels, image),
        "compactness": metrics.compactness(labels),
        "ms": 1000 * elapsed,
    }


def table(methods: dict[str, Partition], paths: list[Path], title: str) -> pd.DataFrame:
    """Means over the images, a row a method; of the times, medians."""
    for partition in methods.values():  # the first call pays for imports and compilation
        partition(read_sample(paths[0]).image)
    rows = [
        {"method": name, **measured(partition, sample)}
        for sample in map(read_sample, tqdm(paths, desc=title, unit="image"))
        for name, partition in methods.items()
    ]
    by_method = pd.DataFrame(rows).groupby("method", sort=False)
    return by_method.mean().assign(ms=by_method["ms"].median())


def machine(threads: int) -> str:
    """Where the times were taken."""
    packages = ("torch", "torch-geometric", "scikit-image", "numpy")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{processor()}, {os.cpu_count()} cores, {threads} threads; {platform.platform()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def markdown(quality: pd.DataFrame) -> str:
    lines = [f"| {'method':26} | " + " | ".join(f"{name:>11}" for name in DIGITS) + " |"]
    lines += ["| --- |" + " ---: |" * len(DIGITS)]
    for method, row in quality.iterrows():
        cells = [f"{row[name]:11.{digits}f}" for name, digits in DIGITS.items()]
        lines += [f"| {method:26} | " + " | ".join(cells) + " |"]
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--num-tokens", type=int, nargs="+", default=[628, 151], metavar="K")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N images only")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: 2)")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write all rows as CSV")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write the tables for docs")
    options = parser.parse_args()
    pairs = [path for path in options.folder.glob("*.jpg") if path.with_suffix(".npz").exists()]
    options.paths = sorted(pairs)[: options.limit]
    if not options.paths:
        parser.error(f"no ID.jpg with an ID.npz beside it in {options.folder}")
    return options


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    step = max(1, len(options.paths) // MATCHING_IMAGES)
    subset = [read_sample(path).image for path in options.paths[::step]]
    report, tables = [machine(options.threads)], {}
    for count in options.num_tokens:
        methods = ours(count) | peers(count, subset)
        tables[count] = table(methods, options.paths, f"{count} tokens")
        title = f"{len(options.paths)} images, num_tokens={count}"
        report.append(f"{title}\n\n{markdown(tables[count])}")
        print("\n" + report[-1] + "\n")
    print(report[0])
    if options.csv:
        pd.concat(tables, names=["num_tokens"]).to_csv(options.csv)
    if options.markdown:
        options.markdown.write_text("\n\n".join(report) + "\n")


if __name__ == "__main__":
    with kernels.plain():  # the same partitions; speed.py has the kernels' times
        main()
