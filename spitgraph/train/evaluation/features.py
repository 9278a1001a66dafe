"""Features of pictures, read once from a model that stays as it is."""

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from tqdm import tqdm

from spitgraph.data import TokenData
from spitgraph.decoding import UnreadableImageError
from spitgraph.models.wrappers import unwrapped
from spitgraph.nn import SPiT
from spitgraph.tokenizers import Tokenizer
from spitgraph.train.augmentation.augmentation import evaluation_view
from spitgraph.train.data.tokens import seeded
from spitgraph.train.draws import example_seed
from spitgraph.train.evaluation.accuracy import check_finite
from spitgraph.train.pictures.base import Pictures
from spitgraph.train.pictures.selection import SomePictures


@dataclass(frozen=True)
class Features:
    """What a model says of n pictures.

    Attributes:
        vectors: [n, D], class tokens, or what the backbone pools in their place.
        logits: [n, C] of the head; None where it was not asked.
        labels: [n], classes as the pictures number them.
        counts: [n], tokens of each picture, class token and registers aside.
        unreadable: Names of the pictures that were left out.
    """

    vectors: Float[Tensor, "n D"]
    logits: Float[Tensor, "n C"] | None
    labels: Int64[Tensor, " n"]
    counts: Int64[Tensor, " n"]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """How pictures are read.

    Attributes:
        batch_size: Pictures at once.
        image_size: Side of the square that is read, see `evaluation_view`; None: all, as it is.
        seed: Of random cells, with the picture's index, and of what `at_most` chooses.
        draw: Another number for each set of pictures, so that none shares its cells with one of
            the same index in another set: that would bring them nearer.
        context: What the transformer computes in, such as autocast.
        complain: Told each picture that cannot be read.
        progress: Whether a bar shows how far it is.
    """

    batch_size: int
    image_size: int | None
    seed: int
    draw: int = 0
    context: Callable[[], AbstractContextManager] = nullcontext
    complain: Callable[[str], None] = print
    progress: bool = False

    def picture(self, pictures: Pictures, index: int) -> UInt8[Tensor, "3 _H _W"]:
        """One picture, of the size that is asked for."""
        return evaluation_view(pictures.picture(index), self.image_size)


def read_features(model: SPiT, pictures: Pictures, reading: Reading, *, head: bool) -> Features:
    """Features of pictures, on the CPU in single precision.

    Args:
        model: In evaluation mode.
        pictures: Of any sizes.
        reading: How.
        head: Whether the head is asked.

    Raises:
        ValueError: None of them can be read, or what a model says is not finite.
    """
    read: list[int] = []
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    unreadable: list[str] = []
    bar = tqdm(total=len(pictures), unit="picture", leave=False, disable=not reading.progress)
    with torch.inference_mode(), bar:
        for start in range(0, len(pictures), reading.batch_size):
            images: dict[int, Tensor] = {}
            batch = range(start, min(start + reading.batch_size, len(pictures)))
            for index in batch:
                try:
                    images[index] = reading.picture(pictures, index)
                except UnreadableImageError as error:
                    unreadable.append(pictures.name(index))
                    with tqdm.external_write_mode():
                        reading.complain(f"left out: {error}")
            if images:
                parts.append(answers(model, images, reading, head=head))
                read += images
            bar.update(len(batch))
    if not read:
        raise ValueError(f"expected at least one picture, got none of {len(pictures)} that is read")
    vectors, logits, counts = (torch.cat(kind) for kind in zip(*parts, strict=True))
    return Features(
        check_finite(vectors, "features"),
        check_finite(logits, "logits") if head else None,
        pictures.labels[read],
        counts,
        tuple(unreadable),
    )


def answers(
    model: SPiT, images: dict[int, Tensor], reading: Reading, *, head: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Class tokens, logits (empty where not asked) and token counts of pictures by index."""
    tokens = tokenized(model, images, reading)
    with reading.context():
        vectors = model.forward_features(tokens).class_token
        logits = model.head(vectors) if head else vectors[:, :0]
    return vectors.float().cpu(), logits.float().cpu(), tokens.ptr.diff().cpu()


def tokenized(model: SPiT, images: dict[int, Tensor], reading: Reading) -> TokenData:
    """φ∘τ of pictures by index, on the model's device; random cells are a picture's own."""
    device = next(model.parameters()).device
    tokens = own_tokenizer(model, images, reading)([image.to(device) for image in images.values()])
    return model.extractor(tokens.to(device))


def own_tokenizer(model: SPiT, indices: Iterable[int], reading: Reading) -> nn.Module:
    """τ for the pictures with these indices, which draws from the seed and those alone."""
    seeds = torch.tensor([example_seed(reading.seed, reading.draw, index) for index in indices])
    tokenizer = unwrapped(model.tokenizer)
    return seeded(tokenizer, seeds) if isinstance(tokenizer, Tokenizer) else tokenizer


def readable(pictures: Pictures, count: int, reading: Reading) -> dict[int, Tensor]:
    """The first pictures that can be read, by index; others are left out unsaid."""
    images: dict[int, Tensor] = {}
    for index in range(len(pictures)):
        if len(images) == count:
            break
        try:
            images[index] = reading.picture(pictures, index)
        except UnreadableImageError:
            continue
    return images


def at_most(pictures: Pictures, limit: int | None, seed: int) -> Pictures:
    """So many of the pictures, of every class about the same share; all, if these are no more."""
    if limit is None or limit >= len(pictures):
        return pictures
    return SomePictures(pictures, limit, seed)


def has_head(model: SPiT) -> bool:
    """Whether a model answers with classes, rather than with its features."""
    return not isinstance(unwrapped(model.head), nn.Identity)


def to_stderr(message: str) -> None:
    """Say what is wrong."""
    print(message, file=sys.stderr)
