"""What a model knows, and what it costs: one row of a table."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from spitgraph.checks import boolean, instance, integer, integers
from spitgraph.extras import needs_extra
from spitgraph.models.wrappers import spit_inside
from spitgraph.nn import SPiT
from spitgraph.train.evaluation.accuracy import Accuracy, accuracy, top_accuracy
from spitgraph.train.evaluation.classes import check_head, common_classes
from spitgraph.train.evaluation.features import (
    Features,
    Reading,
    at_most,
    has_head,
    own_tokenizer,
    read_features,
    readable,
    to_stderr,
    tokenized,
)
from spitgraph.train.evaluation.neighbours import neighbour_classes
from spitgraph.train.evaluation.probe import check_labels, linear_probe
from spitgraph.train.evaluation.throughput import Throughput, throughput, transformer_flops
from spitgraph.train.pictures.base import Pictures

#: The numbers k that every row has columns of.
TOPK, NEIGHBOURS = (1, 5), (5, 20)


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a model; None where it was not, or cannot be.

    Attributes:
        pictures: Number of those that answers were compared on.
        train_pictures: Of those that probe and neighbours learned from.
        classes: Number of classes.
        unreadable: Names of pictures that could not be read and were left out.
        tokens: Mean, least and greatest number a picture.
        top: Accuracy of the model's own head, by k: the class is among the k likeliest. None for a
            k that leaves no class out.
        neighbours: Accuracy of k-NN on class tokens, by k (`neighbour_classes`). None where there
            are fewer training pictures.
        probe: Accuracy of a linear probe on class tokens (`linear_probe`).
        strength: λ of the probe.
        speed: Pictures a second.
        flops: Of one picture, the first (`transformer_flops`).
        flops_tokens: How many tokens that one has.
        parameters: Number of weights.
    """

    pictures: int
    train_pictures: int | None
    classes: int
    unreadable: tuple[str, ...]
    tokens: tuple[float, int, int]
    top: dict[int, Accuracy | None]
    neighbours: dict[int, Accuracy | None]
    probe: Accuracy | None
    strength: float | None
    speed: Throughput | None
    flops: int
    flops_tokens: int
    parameters: int

    @staticmethod
    def columns() -> tuple[str, ...]:
        """What the columns of `row` are called, where no other k is asked for."""
        shares = (*(f"top{k}" for k in TOPK), *(f"knn{k}" for k in NEIGHBOURS), "probe")
        return (
            *("pictures", "train_pictures", "classes", "unreadable"),
            *(f"{share}{end}" for share in shares for end in ("", "_low", "_high")),
            *("probe_strength", "tokens_mean", "tokens_min", "tokens_max"),
            *(f"{part}_per_s" for part in Throughput._fields),
            *("flops", "flops_tokens", "parameters"),
        )

    def row(self) -> dict[str, Any]:
        """The same as one flat row; None for an empty cell.

        There are always columns of `top1`, `top5`, `knn5` and `knn20`, so that rows fit together.
        Shares are in [0, 1], `_low` and `_high` are the ends of Wilson's 95 % interval, speeds are
        pictures a second.
        """
        row: dict[str, Any] = {
            "pictures": self.pictures,
            "train_pictures": self.train_pictures,
            "classes": self.classes,
            "unreadable": len(self.unreadable),
        }
        for k in dict.fromkeys((*TOPK, *self.top)):
            row |= cells(f"top{k}", self.top.get(k))
        for k in dict.fromkeys((*NEIGHBOURS, *self.neighbours)):
            row |= cells(f"knn{k}", self.neighbours.get(k))
        row |= cells("probe", self.probe)
        row["probe_strength"] = self.strength
        row |= zip(("tokens_mean", "tokens_min", "tokens_max"), self.tokens, strict=True)
        speeds = (None,) * 4 if self.speed is None else self.speed
        for part, speed in zip(Throughput._fields, speeds, strict=True):
            row[f"{part}_per_s"] = speed
        return row | {
            "flops": self.flops,
            "flops_tokens": self.flops_tokens,
            "parameters": self.parameters,
        }


def cells(name: str, share: Accuracy | None) -> dict[str, float | None]:
    """Three cells of a row: a share, and the ends of its interval."""
    low, high = (None, None) if share is None else share.interval
    value = None if share is None else share.value
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def evaluate(
    model: nn.Module,
    pictures: Pictures,
    *,
    train: Pictures | None = None,
    topk: Sequence[int] = TOPK,
    neighbours: Sequence[int] = (),
    probe: bool = False,
    batch_size: int = 64,
    image_size: int | None = None,
    limit: int | None = None,
    repeats: int = 5,
    bf16: bool = False,
    seed: int = 0,
    progress: bool = True,
    complain: Callable[[str], None] = to_stderr,
) -> Evaluation:
    """Measure a model: accuracy, tokens, speed and size.

    Its own head is asked for the classes; k-NN and a linear probe learn from training pictures what
    its class tokens say, and the model stays as it is. Features are computed once, in evaluation
    mode without gradients, and depend on the picture alone: random cells are drawn from the seed
    and the picture's index. A picture that cannot be read is named, counted and left out.

    Args:
        model: Any `SPiT`, alone or wrapped, on any device. One without head (`head="none"`) has no
            accuracy of its own.
        pictures: What it is tried on, of any sizes; see `open_pictures`.
        train: What probe and neighbours learn from. Its classes are the classes, and all others'
            must be among them.
        topk: The k for which the class counts if it is among the k likeliest; `()` leaves the head
            out, as for one of other classes.
        neighbours: The k of k-NN, such as `(5, 20)`.
        probe: Whether to fit a linear probe.
        batch_size: Pictures at once, for speed too.
        image_size: Resize the shorter side of pictures, and take the middle square; by default,
            they are read as they are.
        limit: At most so many pictures of `pictures` and of `train`, at least one a class, drawn by
            the seed: of every class about the same share.
        repeats: Passes over a batch that speed is the median of; 0 for no speed.
        bf16: Whether the transformer computes in bfloat16 (autocast).
        seed: Of random cells, and of what a limit chooses.
        progress: Whether bars show how far it is.
        complain: Told of each unreadable picture once; by default, it is printed to stderr.

    Raises:
        ValueError: Classes do not agree with the head's or the training pictures', there are none
            or no pictures, or a value is outside its range.
        TypeError: The model is no `SPiT`, or an argument is of another type.
        ImportError: scikit-learn or torchmetrics is missing, which extra `train` brings.
    """
    spit = instance(spit_inside(model), SPiT, "model", "a SPiT")
    topk, neighbours = counts_of(topk, "topk"), counts_of(neighbours, "neighbours")
    learns = boolean(probe, "probe") or bool(neighbours)
    if learns and train is None:
        raise ValueError("neighbours and a probe learn from train: pass training pictures")
    limit = None if limit is None else integer(limit, "limit")
    repeats, seed = integer(repeats, "repeats", minimum=0), integer(seed, "seed", minimum=0)
    classes, renumbered = common_classes(pictures, train)
    if probe and train is not None:
        check_labels(train.labels)
    check_installed()
    asks = bool(topk) and has_head(spit)
    if asks:
        check_head(spit, len(classes))
    device_type = next(spit.parameters()).device.type
    context: Callable[[], AbstractContextManager] = nullcontext
    if boolean(bf16, "bf16"):
        context = partial(torch.autocast, device_type, torch.bfloat16)
    reading = Reading(
        integer(batch_size, "batch_size"),
        None if image_size is None else integer(image_size, "image_size"),
        seed,
        context=context,
        complain=complain,
        progress=boolean(progress, "progress"),
    )
    pictures, learned = at_most(pictures, limit, seed), None
    with evaluating(spit):
        if train is not None and learns:
            lessons = at_most(train, limit, seed)
            learned = read_features(spit, lessons, replace(reading, draw=1), head=False)
        tried = read_features(spit, pictures, reading, head=asks)
        images = readable(pictures, reading.batch_size, reading)
        first = tokenized(spit, dict([next(iter(images.items()))]), reading)
        flops = transformer_flops(spit, first)
        speed = timed(spit, images, repeats, reading)
    targets, counts = renumbered[tried.labels], tried.counts
    near, probed, strength = learned_answers(learned, tried, targets, neighbours, probe=probe)
    own = {} if tried.logits is None else {k: top_accuracy(tried.logits, targets, k) for k in topk}
    return Evaluation(
        pictures=len(targets),
        train_pictures=None if learned is None else len(learned.labels),
        classes=len(classes),
        unreadable=tried.unreadable + (() if learned is None else learned.unreadable),
        tokens=(counts.double().mean().item(), int(counts.min()), int(counts.max())),
        top=dict.fromkeys(topk) | own,
        neighbours=near,
        probe=probed,
        strength=strength,
        speed=speed,
        flops=flops,
        flops_tokens=first.num_nodes,
        parameters=sum(part.numel() for part in spit.parameters()),
    )


def timed(
    model: SPiT, images: dict[int, Tensor], repeats: int, reading: Reading
) -> Throughput | None:
    """Pictures a second of a batch; None where it is not asked for."""
    if repeats == 0:
        return None
    device = next(model.parameters()).device
    batch = [image.to(device) for image in images.values()]
    tokenizer = own_tokenizer(model, images, reading)
    return throughput(model, batch, repeats, tokenizer=tokenizer, context=reading.context)


def check_installed() -> None:
    """Say what is missing before anything is computed."""
    with needs_extra("train"):
        import torchmetrics  # noqa: F401


def learned_answers(
    learned: Features | None,
    tried: Features,
    targets: Int64[Tensor, " m"],
    neighbours: Sequence[int],
    *,
    probe: bool,
) -> tuple[dict[int, Accuracy | None], Accuracy | None, float | None]:
    """Accuracy of k-NN by k, of the probe, and the probe's λ."""
    near: dict[int, Accuracy | None] = dict.fromkeys(neighbours)
    if learned is None:
        return near, None, None
    for k in neighbours:
        if k <= len(learned.labels):
            answer = neighbour_classes(learned.vectors, learned.labels, tried.vectors, k)
            near[k] = accuracy(answer, targets)
    if not probe:
        return near, None, None
    line = linear_probe(learned.vectors, learned.labels)
    return near, accuracy(line.classes_of(tried.vectors), targets), line.strength


def counts_of(values: Any, name: str) -> tuple[int, ...]:
    """Numbers k, each at least 1."""
    return tuple(integer(k, name) for k in integers(values, name))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; as it was before, afterwards."""
    modes = {part: part.training for part in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
