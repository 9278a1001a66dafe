"""Examples: what a model learns from or is evaluated on, and batches of them.

An example is a function of (seed, epoch, index): workers, processes and restarts change nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from spitgraph.data import TokenData
from spitgraph.extractors import Extractor
from spitgraph.images import UnreadableImageError
from spitgraph.tokenizers.base import Tokenizer
from spitgraph.train.augmentation.augmentation import Augmentation, evaluation_view
from spitgraph.train.augmentation.mixing import cut_in, laid_over
from spitgraph.train.data.tokens import tokens_of
from spitgraph.train.draws import example_generator, example_seed
from spitgraph.train.pictures.base import Pictures

#: Epoch, and index of a picture.
Key = tuple[int, int]
#: Pictures that are drawn in place of one before it is said that none can be read.
TRIES = 32


@dataclass
class Example:
    """One picture, and what it shows: shares of classes that add up to 1."""

    image: UInt8[Tensor, "3 H W"] | None
    target: tuple[tuple[int, float], ...]
    seed: int
    index: int
    broken: tuple[str, ...]


@dataclass
class Examples:
    """A batch of B.

    Attributes:
        inputs: Token graphs with `x`, where tokenizer and extractor ran already; otherwise images,
            uint8 [B, 3, H, W] where their sizes agree, and a list of [3, H, W] where not.
        targets: [B, C], shares of classes: one 1, or as much of several as was mixed.
        seeds: [B], what later draws such as of dropped tokens begin from.
        indices: [B], which pictures these are.
        broken: Names of pictures that could not be read: replaced in training, left out in
            evaluation, where a batch may be left with no picture.
    """

    inputs: TokenData | UInt8[Tensor, "B 3 H W"] | list[Tensor]
    targets: Float[Tensor, "B C"]
    seeds: Int64[Tensor, " B"]
    indices: Int64[Tensor, " B"]
    broken: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: Any, non_blocking: bool = False) -> "Examples":
        """The same on a device."""
        return self._with_tensors(lambda held: held.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Examples":
        """The same in memory from which a GPU copies by itself."""
        return self._with_tensors(lambda held: held.pin_memory())

    def __getstate__(self) -> dict[str, Any]:
        """As workers send it: images of a list as one tensor, since each takes an open file."""
        state = vars(self).copy()
        if isinstance(self.inputs, list) and self.inputs:
            state["inputs"] = torch.cat([image.flatten() for image in self.inputs])
            state["shapes"] = [image.shape for image in self.inputs]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        shapes = state.pop("shapes", None)
        self.__dict__.update(state)
        if shapes is not None:
            parts = state["inputs"].split([shape.numel() for shape in shapes])
            self.inputs = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    def _with_tensors(self, change: Callable[[Any], Any]) -> "Examples":
        held = self.inputs
        return replace(
            self,
            inputs=[change(one) for one in held] if isinstance(held, list) else change(held),
            targets=change(self.targets),
            seeds=change(self.seeds),
            indices=change(self.indices),
        )


class TrainingExamples(Dataset[Example]):
    """Augmented pictures, by (epoch, index).

    A picture that cannot be read is replaced by another, which the example's own generator draws:
    batches keep their size, and no process waits for another.

    Args:
        pictures: What there is.
        augmentation: How it is changed.
        seed: What all draws follow from.
    """

    def __init__(self, pictures: Pictures, augmentation: Augmentation, seed: int = 0) -> None:
        self.pictures, self.augmentation, self.seed = pictures, augmentation, seed

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, key: Key) -> Example:
        """An example.

        Raises:
            UnreadableImageError: Neither the picture nor any of 32 others can be read.
        """
        epoch, index = key
        generator = example_generator(self.seed, epoch, index)
        broken: list[str] = []
        shown, image = self._view(index, generator, broken)
        target: tuple[tuple[int, float], ...] = ((self._label(shown), 1.0),)
        how = self.augmentation.mixes(generator)
        if how is not None:
            partner, other = self._view(self._another(generator), generator, broken)
            if how == "cutmix":
                image, share = cut_in(image, other, self.augmentation.cutmix_alpha, generator)
            else:
                image, share = laid_over(image, other, self.augmentation.mixup_alpha, generator)
            target = ((self._label(shown), share), (self._label(partner), 1 - share))
        seed = example_seed(self.seed, epoch, index)
        return Example(torch.from_numpy(image), target, seed, shown, tuple(broken))

    def _view(
        self, index: int, generator: np.random.Generator, broken: list[str]
    ) -> tuple[int, np.ndarray]:
        """A picture, augmented, or the next that can be read; and which it is."""
        for _ in range(TRIES + 1):
            try:
                image = self.pictures.picture(index).numpy()
            except UnreadableImageError as error:
                broken.append(self.pictures.name(index))
                index, last = self._another(generator), error
            else:
                return index, self.augmentation.view(image, generator)
        raise UnreadableImageError(
            f"{TRIES + 1} pictures drawn one after the other cannot be read; the last one: {last}"
        )

    def _another(self, generator: np.random.Generator) -> int:
        return int(generator.random() * len(self.pictures))

    def _label(self, index: int) -> int:
        return int(self.pictures.labels[index])


class EvaluationExamples(Dataset[Example]):
    """Pictures as they are evaluated, by (epoch, index), whichever the epoch.

    Args:
        pictures: What there is.
        image_size: See `evaluation_view`.
        seed: What the examples' seeds follow from.
    """

    def __init__(self, pictures: Pictures, image_size: int | None = None, seed: int = 0) -> None:
        self.pictures, self.image_size, self.seed = pictures, image_size, seed

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, key: Key) -> Example:
        """An example, without an image where that cannot be read."""
        _, index = key
        target = ((int(self.pictures.labels[index]), 1.0),)
        seed = example_seed(self.seed, 0, index)
        try:
            image = evaluation_view(self.pictures.picture(index), self.image_size)
        except UnreadableImageError:
            return Example(None, target, seed, index, (self.pictures.name(index),))
        return Example(image, target, seed, index, ())


class Collate:
    """Examples → `Examples`: in a worker, where there are any.

    Args:
        num_classes: C.
        tokenizer: What makes tokens here; None leaves images.
        extractor: What gives them vectors.
    """

    def __init__(
        self,
        num_classes: int,
        tokenizer: Tokenizer | None = None,
        extractor: Extractor | None = None,
    ) -> None:
        self.num_classes, self.tokenizer, self.extractor = num_classes, tokenizer, extractor

    @torch.no_grad()
    def __call__(self, examples: Sequence[Example]) -> Examples:
        """A batch of those that have an image."""
        shown = [example for example in examples if example.image is not None]
        seeds = torch.tensor([example.seed for example in shown], dtype=torch.int64)
        images = [example.image for example in shown if example.image is not None]
        inputs: Any = images
        if self.tokenizer is not None and images:
            inputs = tokens_of(images, seeds, self.tokenizer, self.extractor)
        elif len({image.shape for image in images}) == 1:
            inputs = torch.stack(images)
        return Examples(
            inputs=inputs,
            targets=self._targets(shown),
            seeds=seeds,
            indices=torch.tensor([example.index for example in shown], dtype=torch.int64),
            broken=tuple(dict.fromkeys(name for one in examples for name in one.broken)),
        )

    def _targets(self, examples: Sequence[Example]) -> Float[Tensor, "B C"]:
        targets = np.zeros((len(examples), self.num_classes), dtype=np.float32)
        for row, example in zip(targets, examples, strict=True):
            for label, share in example.target:
                row[label] += share
        return torch.from_numpy(targets)
