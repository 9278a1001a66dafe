"""Photographs with true masks, how masks are scored, and tables with bootstrap intervals."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from spitgraph import metrics

RESAMPLED = 1000
COLUMNS = ("maxF", "maxF soft", "IoU", "accuracy", "MAE", "S", "IoU ahead")


class Picture(NamedTuple):
    image: torch.Tensor  # [3, H, W] float32
    mask: torch.Tensor  # [H, W] bool
    group: str  # what is averaged first: a sequence, or the picture itself


class Score(NamedTuple):
    group: str
    curve: np.ndarray  # [255], F of the mask
    soft_curve: np.ndarray  # [255], F of the soft map
    numbers: np.ndarray  # [4]: IoU, accuracy, MAE, S of the mask


def masked_pictures(folder: Path) -> list[Path]:
    """Photographs in `images/` that have a mask in `masks/`."""
    paths = [path for path in sorted((folder / "images").iterdir()) if mask_of(path)]
    if not paths:
        raise SystemExit(f"{folder} holds no images/ID.jpg with a masks/ID.png")
    return paths


def mask_of(path: Path) -> Path | None:
    return next(iter(sorted((path.parent.parent / "masks").glob(f"{path.stem}.*"))), None)


def read_picture(path: Path) -> Picture:
    image = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1) / 255
    mask = torch.from_numpy(np.array(Image.open(mask_of(path)).convert("L"))) > 127
    sequence, _, frame = path.stem.rpartition("_")  # DAVIS: SEQUENCE_00005
    is_frame = bool(sequence) and len(frame) == 5 and frame.isdigit()
    return Picture(image, mask, sequence if is_frame else path.stem)


def scored(mask: torch.Tensor, soft: torch.Tensor, picture: Picture) -> Score:
    true = picture.mask
    measures = (
        metrics.iou,
        metrics.pixel_accuracy,
        metrics.mean_absolute_error,
        metrics.s_measure,
    )
    return Score(
        picture.group,
        metrics.f_beta_curve(mask, true).numpy(),
        metrics.f_beta_curve(soft, true).numpy(),
        np.array([measure(mask, true) for measure in measures]),
    )


def summary(scores: list[Score], others: list[Score]) -> dict[str, tuple[float, float, float]]:
    """Mean over groups, and its 95 % bootstrap interval over groups, of every column.

    *IoU ahead* is the mean difference from others' IoU, image by image.
    """
    ahead = [
        score._replace(numbers=np.append(score.numbers, score.numbers[0] - other.numbers[0]))
        for score, other in zip(scores, others, strict=True)
    ]
    by_group: defaultdict[str, list[Score]] = defaultdict(list)
    for score in ahead:
        by_group[score.group].append(score)
    curve, soft, numbers = (
        np.stack([np.mean([score[place] for score in group], 0) for group in by_group.values()])
        for place in (1, 2, 3)
    )
    random = np.random.default_rng(0)
    chosen = random.integers(0, len(by_group), (RESAMPLED, len(by_group)))
    draws = np.stack([np.bincount(row, minlength=len(by_group)) for row in chosen])
    draws = np.vstack([np.ones(len(by_group)), draws]) / len(by_group)  # first, all as they are
    columns = [(draws @ curve).max(1), (draws @ soft).max(1), *(draws @ numbers).T]
    return {
        name: (values[0], *np.quantile(values[1:], (0.025, 0.975)))
        for name, values in zip(COLUMNS, columns, strict=True)
    }


def mean_interval(values: list[float]) -> tuple[float, float, float]:
    """Mean, and its 95 % bootstrap interval."""
    plain = np.array(values)
    means = np.random.default_rng(0).choice(plain, (RESAMPLED, len(plain))).mean(1)
    return (plain.mean(), *np.quantile(means, (0.025, 0.975)))


def markdown(
    rows: dict[str, dict[str, tuple[float, float, float]]], columns: tuple[str, ...]
) -> str:
    lines = ["| | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for name, row in rows.items():
        cells = [
            f"{100 * m:.1f} ({100 * a:.1f}–{100 * b:.1f})" for m, a, b in map(row.get, columns)
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
