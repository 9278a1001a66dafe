"""Partition quality on images with human segmentations: ours, and others' at matched counts.

    python benchmarks/partition_quality.py FOLDER [--num-tokens 628 151] [--limit N] [--csv OUT]

FOLDER holds `ID.jpg` and `ID.npz` (`segmentations` [annotators, H, W]). Each image goes through all
methods in turn, in one process, so that times may be compared with each other. Metrics: METHOD
section 9, averaged over annotators, then over images; *thin BR* is boundary recall on what is less
than 5 pixels wide, *contour* the share of pixels on borders.
"""

import argparse
import os
import platform
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from machine import processor
from partition_peers import installed, matched
from PIL import Image
from torch.nn.functional import max_pool2d, pad
from tqdm import tqdm

from spitgraph import SuperpixelTokenizer, kernels, metrics
from spitgraph.contraction.weights import SIMILARITIES
from spitgraph.pixels import FEATURES

try:
    import pandas as pd
except ImportError as error:
    raise SystemExit(f'{error.name} is missing: pip install "spitgraph[bench]"') from None

Partition = partial  # of a function: image [H, W, 3] -> labels [H, W]

MATCHING_IMAGES = 20  # about as many serve to find the peers' parameters
BY_TRUTH = [
    ("BR", metrics.boundary_recall),
    ("UE", metrics.undersegmentation_error),
    ("ASA", metrics.achievable_segmentation_accuracy),
]
DIGITS = {
    "n": 0,
    "BR": 3,
    "UE": 4,
    "ASA": 4,
    "EV": 3,
    "thin BR": 3,
    "compactness": 3,
    "contour": 3,
    "ms": 1,
}
#: Narrower than this, in pixels, is thin.
THIN = 5


class Sample(NamedTuple):
    image: np.ndarray  # uint8 [H, W, 3]
    truths: np.ndarray  # [annotators, H, W]


def read_sample(path: Path) -> Sample:
    with np.load(path.with_suffix(".npz")) as file:
        return Sample(np.array(Image.open(path).convert("RGB")), file["segmentations"])


def ours(num_tokens: int) -> dict[str, Partition]:
    """The superpixel tokenizer by both rules, the fast one with every similarity and preset."""
    fast = {
        f"spitgraph {similarity}, {features}": {"similarity": similarity, "features": features}
        for similarity in SIMILARITIES
        for features in FEATURES
    }
    options = {"spitgraph fine": {"quality": "fine"}} | fast
    return {
        name: partial(_segments, tokenizer=SuperpixelTokenizer(num_tokens=num_tokens, **given))
        for name, given in options.items()
    }


def _segments(image: np.ndarray, tokenizer: SuperpixelTokenizer) -> torch.Tensor:
    return tokenizer(image).seg[0]


def peers(num_tokens: int, images: list[np.ndarray]) -> dict[str, Partition]:
    """Others, set such that images get `num_tokens` on average."""
    methods = {}
    for name, peer in installed().items():
        methods[name], setting = matched(peer, num_tokens, images)
        print(f"{name}: set to {setting}")
    return methods


def thin_boundary_recall(labels: torch.Tensor, truth: torch.Tensor) -> float:
    """Boundary recall where the human segmentation is narrower than `THIN`; NaN where it is not."""
    height, width = truth.shape
    if min(height, width) < THIN:
        return float("nan")
    values = truth[None].float()
    window = {"kernel_size": THIN, "stride": 1}
    same = max_pool2d(values, **window) == -max_pool2d(-values, **window)  # windows of one segment
    wide = max_pool2d(pad(same.float(), [THIN - 1] * 4), **window)[0] > 0  # what they cover
    found, wanted = on_border(labels), on_border(truth)
    radius = round(0.0025 * (height**2 + width**2) ** 0.5)
    near = max_pool2d(found[None].float(), 2 * radius + 1, stride=1, padding=radius)[0] > 0
    wanted &= ~wide
    return float((near & wanted).sum() / wanted.sum()) if wanted.any() else float("nan")


def on_border(labels: torch.Tensor) -> torch.Tensor:
    """Pixels whose right or lower neighbour has another label."""
    border = torch.zeros_like(labels, dtype=torch.bool)
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border[:-1] |= labels[:-1] != labels[1:]
    return border


def measured(partition: Partition, sample: Sample) -> dict[str, float]:
    """Metrics and time of one method on one image."""
    start = time.perf_counter()
    labels = torch.as_tensor(partition(sample.image))
    elapsed = time.perf_counter() - start
    image = torch.from_numpy(sample.image).permute(2, 0, 1)
    truths = [torch.from_numpy(truth.astype(np.int64)) for truth in sample.truths]
    return {
        "n": len(labels.unique()),
        **{name: np.mean([f(labels, truth) for truth in truths]) for name, f in BY_TRUTH},
        "EV": metrics.explained_variation(labels, image),
        "thin BR": np.nanmean([thin_boundary_recall(labels, truth) for truth in truths]),
        "compactness": metrics.compactness(labels),
        "contour": float(on_border(labels).float().mean()),
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
    parser.add_argument("--ours", action="store_true", help="without the peers")
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
        methods = ours(count) | ({} if options.ours else peers(count, subset))
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
    kernels.warm_up()
    main()
