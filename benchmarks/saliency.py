"""Masks of TokenCut with one pretrained ViT: on its patches, and on regions that follow the image.

    python benchmarks/saliency.py WEIGHTS MASKS... [--others WEIGHTS...] [--people FOLDER]

WEIGHTS is a plain ViT's state dict (`spitgraph.from_vit`). A folder MASKS holds `images/ID.jpg` and
`masks/ID.png` (of a video, SEQUENCE_00005: frames are averaged by sequence first); FOLDER holds
`ID.jpg` and `ID.npz` (`segmentations` [annotators, H, W]).

The ViT sees every image once, resized to the multiples of its patch nearest to `--long-side`,
proportions kept as well as these allow, and all methods read the same final tokens. Masks are
judged at the image's native size:

- *patches*: TokenCut on the patch grid, its mask brought to native size by the nearest patch, as
  TokenCut does; bilinearly, above ½; and the former refined by the bilateral solver with TokenCut's
  parameters, or by the guided filter.
- *vote*: that mask (nearest), by majority of the pixels of each superpixel.
- *pooled*: the ViT's features interpolated bilinearly to pixels, averaged by region; TokenCut on
  these, each region counted by its pixels (`by_size`), or not. Regions are superpixels by both
  rules, or random Voronoi cells as a control.
- *colour*: TokenCut on superpixels without a ViT, on mean colours less that of the image.

maxF: F_β (β² = 0.3) of masks, averaged over the set before the maximum over thresholds; *soft*: of
`Cut.map` (where there is one). IoU, accuracy, MAE and S-measure: of masks. *IoU ahead*: by how much
of plain patches at the same θ, in pairs. Brackets: 95 % bootstrap intervals over images, or
sequences.
"""

import argparse
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from machine import processor
from PIL import Image
from pretrained import settings_of
from saliency_sets import (
    COLUMNS,
    Picture,
    markdown,
    masked_pictures,
    mean_interval,
    read_picture,
    scored,
    summary,
)
from torch.nn.functional import interpolate
from tqdm import tqdm

from spitgraph import (
    SPiT,
    SuperpixelTokenizer,
    TokenData,
    VoronoiTokenizer,
    from_vit,
    kernels,
    segment,
)
from spitgraph.models.files import read_state
from spitgraph.segment.filters import FILTERS

#: Of which features, in the second table.
KINDS = ("tokens", "keys", "queries", "values")
#: Numbers of groups that people's regions are looked for in; least share of the image of these.
GROUPS, LEAST_SHARE = (2, 4, 8, 16), 0.01
#: θ, of all tables and of the second's further columns.
THRESHOLDS, HIGHER = (0.2, 0.5), (0.8,)
Masks = tuple[torch.Tensor, torch.Tensor]  # mask and soft map, [H, W]


def read_vit(path: Path) -> SPiT:
    """The ViT."""
    state = read_state(path)
    return from_vit(state, **settings_of(state))


def tokenizers(num_tokens: int) -> dict[str, Callable[[torch.Tensor], TokenData]]:
    generator = torch.Generator().manual_seed(0)
    return {
        "superpixels": SuperpixelTokenizer(num_tokens=num_tokens, quality="fine"),
        "superpixels, fast rule": SuperpixelTokenizer(num_tokens=num_tokens),
        "Voronoi cells": VoronoiTokenizer(num_tokens, generator=generator),
    }


def methods(
    grid: torch.Tensor, picture: Picture, regions: dict[str, TokenData]
) -> dict[str, Masks]:
    """Mask and soft map of every method."""
    image = picture.image
    patches = segment.grid_tokens(grid, image)
    flat = grid.flatten(1).T
    found: dict[str, Masks] = {}
    for threshold in THRESHOLDS:
        at = f", θ = {threshold:g}"
        cut = segment.normalized_cut(flat, patches, threshold=threshold)
        found[f"patches{at}"] = cut.mask, cut.map
        if threshold == THRESHOLDS[0]:
            found[f"patches, bilinear{at}"] = bilinear(cut, grid, image)
            for name, filtered in FILTERS.items():
                refined = filtered(cut.mask, patches)
                found[f"patches + {name}{at}"] = refined, refined
        for name, tokens in regions.items():
            if name == "superpixels":
                share = tokens.tree.pool(cut.mask.flatten().float(), tokens.tree.depth)
                soft = segment.to_map(share, tokens)
                found[f"{name}, vote{at}"] = soft > 0.5, soft
            pooled = segment.pool_grid(grid, tokens)
            own = segment.normalized_cut(pooled, tokens, threshold=threshold, by_size=True)
            found[f"{name}, pooled{at}"] = own.mask, own.map
            if name != "superpixels":
                continue
            if threshold == THRESHOLDS[0]:
                refined = FILTERS["bilateral"](own.mask, tokens)
                found[f"{name}, pooled + bilateral{at}"] = refined, refined
            own = segment.normalized_cut(pooled, tokens, threshold=threshold)
            found[f"{name}, pooled, not by size{at}"] = own.mask, own.map
    tokens = regions["superpixels"]
    own = segment.normalized_cut(segment.colour_features(tokens), tokens, by_size=True)
    found["superpixels, colour"] = own.mask, own.map
    return found


def bilinear(cut: segment.Cut, grid: torch.Tensor, image: torch.Tensor) -> Masks:
    mask, soft = (
        interpolate(values.view(1, 1, *grid.shape[1:]), image.shape[1:], mode="bilinear")[0, 0]
        for values in (cut.tokens.float(), cut.soft)
    )
    return mask > 0.5, soft


def patches_like(name: str) -> str:
    """The row of plain patches at the same θ; at the first, of what has none."""
    _, _, threshold = name.partition(", θ = ")
    return f"patches, θ = {threshold or THRESHOLDS[0]}"


def masks_table(model: SPiT, paths: list[Path], args: argparse.Namespace) -> str:
    scores = defaultdict(list)
    makers = tokenizers(args.num_tokens)
    for path in tqdm(paths, desc=paths[0].parent.parent.name, unit="image"):
        picture = read_picture(path)
        regions = {name: make(picture.image) for name, make in makers.items()}
        grid = segment.grid_features(model, picture.image, long_side=args.long_side)
        for name, (mask, soft) in methods(grid, picture, regions).items():
            scores[name].append(scored(mask, soft, picture))
        scores["(patches)"].append(grid[0].numel())
    count = np.mean(scores.pop("(patches)"))
    rows = {name: summary(s, scores[patches_like(name)]) for name, s in scores.items()}
    groups = len({score.group for score in next(iter(scores.values()))})
    title = (
        f"{paths[0].parent.parent.name}: {len(paths)} images"
        + (f" of {groups} sequences" if groups < len(paths) else "")
        + f", {count:.0f} patches on average, {args.num_tokens} regions"
    )
    return f"{title}\n\n" + markdown(rows, COLUMNS)


def features_table(models: dict[str, SPiT], paths: list[Path], args: argparse.Namespace) -> str:
    """IoU by model and features, on patches and superpixels."""
    scores = defaultdict(lambda: defaultdict(list))
    make = tokenizers(args.num_tokens)["superpixels"]
    for path in tqdm(paths, desc="features", unit="image"):
        picture = read_picture(path)
        tokens = make(picture.image)
        for name, model in models.items():
            for kind in KINDS:
                grid = segment.grid_features(
                    model, picture.image, long_side=args.long_side, kind=kind
                )
                patches = segment.grid_tokens(grid, picture.image)
                for threshold in (*THRESHOLDS, *HIGHER):
                    for what, features, place in (
                        ("patches", grid.flatten(1).T, patches),
                        ("superpixels", segment.pool_grid(grid, tokens), tokens),
                    ):
                        mask = segment.token_cut(features, place, threshold=threshold, by_size=True)
                        column = f"{what}, θ = {threshold:g}"
                        scores[f"{name}, {kind}"][column].append(scored(mask, mask, picture))
    rows = {
        name: {column: summary(s, s)["IoU"] for column, s in row.items()}
        for name, row in scores.items()
    }
    title = f"{paths[0].parent.parent.name}: IoU by features, {len(paths)} images"
    return f"{title}\n\n" + markdown(rows, tuple(next(iter(rows.values()))))


def people_table(model: SPiT, paths: list[Path], args: argparse.Namespace) -> str:
    """Of each of people's regions, the best IoU with a mask that is found without them."""
    scores = defaultdict(lambda: {"best IoU": []})
    makers = tokenizers(args.num_tokens)
    for path in tqdm(paths, desc=paths[0].parent.name, unit="image"):
        image = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1) / 255
        with np.load(path.with_suffix(".npz")) as file:
            people = torch.from_numpy(file["segmentations"].astype(np.int64))
        grid = segment.grid_features(model, image, long_side=args.long_side)
        patches = segment.grid_tokens(grid, image)
        cases = {"patches": (patches, grid.flatten(1).T)}
        for name, make in makers.items():
            tokens = make(image)
            cases[f"{name}, pooled"] = tokens, segment.pool_grid(grid, tokens)
        for name, (tokens, features) in cases.items():
            maps = [
                segment.token_cut(features, tokens, threshold=t, by_size=True) for t in THRESHOLDS
            ]
            maps += [segment.to_map(segment.group(features, tokens, k), tokens) for k in GROUPS]
            scores[name]["best IoU"].append(best_iou(maps, people))
    rows = {name: {"best IoU": mean_interval(row["best IoU"])} for name, row in scores.items()}
    title = f"{paths[0].parent.name}: people's regions in groups and cuts, {len(paths)} images"
    return f"{title}\n\n" + markdown(rows, ("best IoU",))


def best_iou(maps: list[torch.Tensor], people: torch.Tensor) -> float:
    """Mean over annotators, of the mean over their regions of 1 % of the image and more."""
    means = []
    for truth in people:
        truth = truth.unique(return_inverse=True)[1].flatten()
        sizes = truth.bincount()
        best = torch.zeros(len(sizes))
        for labels in maps:
            labels = labels.flatten().long()
            both = (labels * len(sizes) + truth).bincount(minlength=(labels.max() + 1) * len(sizes))
            both = both.view(-1, len(sizes))
            union = labels.bincount()[:, None] + sizes - both
            best = torch.maximum(best, (both / union).amax(0))
        means.append(best[sizes >= LEAST_SHARE * len(truth)].mean())
    return float(torch.stack(means).mean())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, metavar="WEIGHTS")
    parser.add_argument("masks", type=Path, nargs="+", metavar="MASKS")
    parser.add_argument("--others", type=Path, nargs="+", default=[], metavar="WEIGHTS")
    parser.add_argument("--people", type=Path, metavar="FOLDER")
    parser.add_argument("--long-side", type=int, default=448, help="what the ViT sees")
    parser.add_argument("--num-tokens", type=int, default=256, metavar="K")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of the images")
    parser.add_argument("--every-for-features", type=int, default=8, metavar="N")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: 2)")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write the tables for docs")
    return parser.parse_args()


@torch.inference_mode()
def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    start = time.perf_counter()
    models = {path.stem: read_vit(path) for path in (args.weights, *args.others)}
    model = models[args.weights.stem]
    packages = ("torch", "scipy", "scikit-learn", "numpy")
    report = [
        f"{processor()}, {os.cpu_count()} cores, {args.threads} threads; {platform.system()}, "
        f"Python {platform.python_version()}, " + ", ".join(f"{p} {version(p)}" for p in packages)
    ]
    jobs = [(masks_table, model, masked_pictures(folder), args.every) for folder in args.masks]
    jobs += [(features_table, models, masked_pictures(args.masks[0]), args.every_for_features)]
    if args.people:
        jobs.append((people_table, model, sorted(args.people.glob("*.jpg")), args.every))
    for table, with_what, paths, every in jobs:
        report.append(table(with_what, paths[::every], args))
        print(f"\n{report[-1]}\n")
    report.append(f"{time.perf_counter() - start:.0f} s in all")
    print(report[-1])
    if args.markdown:
        args.markdown.write_text("\n\n".join(report) + "\n")


if __name__ == "__main__":
    kernels.warm_up()
    main()
