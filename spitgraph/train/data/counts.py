"""How many tokens pictures have: one pass over all of them, kept on disk."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from spitgraph.beside import written_beside
from spitgraph.checks import file_path
from spitgraph.tokenizers import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer
from spitgraph.tokenizers.base import Tokenizer
from spitgraph.train.data.examples import EvaluationExamples, Example
from spitgraph.train.data.tokens import seeded
from spitgraph.train.pictures.base import Pictures

#: Pictures that are tokenised together.
TOGETHER = 64


def token_counts(
    pictures: Pictures,
    tokenizer: Tokenizer,
    image_size: int | None = None,
    *,
    seed: int = 0,
    workers: int = 0,
    folder: Any = None,
) -> np.ndarray:
    """Tokens of each picture as it is evaluated, [n] int64.

    One that cannot be read counts as the largest that can.

    Args:
        pictures: n of them.
        tokenizer: τ.
        image_size: See `evaluation_view`.
        seed: What a tokenizer that draws at random does so by.
        workers: Processes that count.
        folder: Where counts are kept, until the pictures change.

    Raises:
        ValueError: No picture can be read.
    """
    place = None
    if folder is not None:
        about = f"{type(tokenizer).__name__}({tokenizer.extra_repr()}) {image_size} {seed}"
        place = Path(file_path(folder, "folder")) / f"counts-{digest(pictures, about)}.npy"
        if place.exists():
            return np.load(place, allow_pickle=False)
    counts = counted(pictures, tokenizer, image_size, seed, workers)
    if not counts.any():
        raise ValueError(f"no picture can be read, such as {pictures.name(0)}")
    counts[counts == 0] = counts.max()
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(place) as unfinished:
            np.save(unfinished, counts)
    return counts


def told_by_settings(tokenizer: Tokenizer) -> bool:
    """Whether what a tokenizer shows of itself tells which tokens it makes."""
    if isinstance(tokenizer, SuperpixelTokenizer):
        return tokenizer.settings.is_told
    return isinstance(tokenizer, PatchTokenizer | VoronoiTokenizer)


def counted(
    pictures: Pictures, tokenizer: Tokenizer, image_size: int | None, seed: int, workers: int
) -> np.ndarray:
    """The same, with 0 for a picture that cannot be read."""
    examples = EvaluationExamples(pictures, image_size, seed)
    keys = [
        [(0, index) for index in range(begin, min(begin + TOGETHER, len(pictures)))]
        for begin in range(0, len(pictures), TOGETHER)
    ]
    loader = DataLoader(
        examples,
        batch_sampler=keys,
        collate_fn=CountTokens(tokenizer),
        num_workers=workers,
        generator=torch.Generator().manual_seed(0),
    )
    with tqdm(loader, unit="batch", desc="counting tokens", leave=False) as bar:
        return np.concatenate(list(bar))


class CountTokens:
    """Examples → how many tokens each has."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @torch.no_grad()
    def __call__(self, examples: Sequence[Example]) -> np.ndarray:
        """[B] int64, 0 without an image."""
        counts = np.zeros(len(examples), dtype=np.int64)
        there = [place for place, example in enumerate(examples) if example.image is not None]
        images = [example.image for example in examples if example.image is not None]
        if images:
            seeds = torch.tensor([examples[place].seed for place in there])
            counts[there] = seeded(self.tokenizer, seeds).hierarchy(images).num_regions()
        return counts


def digest(pictures: Pictures, about: str) -> str:
    """What changes when settings or pictures do: their names, sizes and times."""
    hashed = hashlib.blake2b(about.encode(), digest_size=16)
    for index in range(len(pictures)):
        hashed.update(os.fsencode(pictures.name(index)) + pictures.stamp(index))
    return hashed.hexdigest()
