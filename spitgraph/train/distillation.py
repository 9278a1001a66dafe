"""A pretrained transformer teaches one that reads irregular tokens what it sees in their place."""

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from tqdm import tqdm

from spitgraph.checks import instance, positive
from spitgraph.extractors import RegionPool
from spitgraph.images import ImagesLike
from spitgraph.nn import SPiT
from spitgraph.train.schedule import warmed_up_cosine

#: What gradients are shortened to.
LONGEST_GRADIENT = 1.0


def distill(
    student: SPiT,
    teacher: RegionPool,
    batches: Any,
    *,
    parameters: Iterable[nn.Parameter] | None = None,
    learning_rate: float = 5e-5,
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> list[float]:
    """Teach a model to say of each region what a pretrained ViT says in its place.

    Pictures need no labels. The student's tokens learn the mean of the teacher's patch features
    over their regions, its class token the teacher's (`distillation_loss`). AdamW without weight
    decay; the learning rate rises over a twentieth of the steps, and falls as a cosine.

    A student whose `embedder.token_budget` is set reads so many tokens a picture, at random: a
    quarter of the tokens costs a quarter of the time.

    Args:
        student: What learns, in place; a model such as `from_vit(..., tokenizer="superpixel")`.
        teacher: A pretrained ViT, of the student's width.
        batches: Any of images, one a step, of any sizes.
        parameters: What learns; by default, all that requires a gradient. `adapter_parameters`
            are the few that suffice.
        learning_rate: At its highest.
        generator: What a token budget draws from; by default, the global one.
        progress: Whether a bar shows steps and loss.

    Returns:
        The loss of each step.

    Raises:
        TypeError: The teacher is no `RegionPool`, or the batches have no length.
        ValueError: Widths differ, there is no batch, or the loss is not finite.
    """
    check(student, teacher, batches)
    chosen = [part for part in student.parameters() if part.requires_grad]
    chosen = chosen if parameters is None else list(parameters)
    optimizer = torch.optim.AdamW(
        chosen, lr=positive(learning_rate, "learning_rate"), weight_decay=0
    )
    schedule = warmed_up_cosine(optimizer, len(batches))
    losses: list[float] = []
    with learning(student, chosen), tqdm(batches, unit="batch", disable=not progress) as bar:
        for images in bar:
            loss = distillation_loss(student, teacher, images, generator)
            losses.append(loss.item())
            if not loss.isfinite():
                raise ValueError(f"the loss of step {len(losses)} is {losses[-1]}")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(chosen, LONGEST_GRADIENT)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            bar.set_postfix(loss=f"{losses[-1]:.3f}")
    return losses


def distillation_loss(
    student: SPiT, teacher: RegionPool, images: ImagesLike, generator: torch.Generator | None = None
) -> Float[Tensor, ""]:
    """(1 − cos(c, c′)) over images plus (1 − cos(f, f′)) over tokens, each a mean.

    c and f are the student's class token and tokens, c′ the teacher's class token and f′ its dense
    features' means over the same regions.

    Args:
        student: A model of any tokens; those that a budget left out do not count.
        teacher: A pretrained ViT; it gets no gradients.
        images: A batch.
        generator: What a token budget draws from.
    """
    tokens = student.tokenize(images)
    features = student.forward_features(tokens, generator)
    with torch.no_grad():
        whole, parts = teacher.pooled(tokens)
    if features.kept is not None:
        parts = parts.index_select(0, features.kept)
    of_images = 1 - cosine_similarity(features.class_token, whole)
    of_tokens = 1 - cosine_similarity(features.tokens, parts)
    return of_images.mean() + of_tokens.mean()


def check(student: SPiT, teacher: RegionPool, batches: Any) -> None:
    """Refuse what does not fit together."""
    instance(student, nn.Module, "student", "a model")
    instance(teacher, RegionPool, "teacher", "a RegionPool")
    instance(batches, Sized, "batches", "batches with a length, such as a list or a DataLoader")
    if len(batches) == 0:
        raise ValueError("expected at least one batch, got none")
    width = student.backbone.embed_dim
    if teacher.out_channels != width:
        raise ValueError(f"the student is {width} wide, and the teacher {teacher.out_channels}")


@contextmanager
def learning(model: nn.Module, chosen: list[nn.Parameter]) -> Iterator[None]:
    """Training mode, and gradients of the chosen parameters only; as it was before, afterwards."""
    was_training, wanted = model.training, [part.requires_grad for part in model.parameters()]
    ids = {id(part) for part in chosen}
    model.train()
    for part in model.parameters():
        part.requires_grad_(id(part) in ids)
    try:
        yield
    finally:
        model.train(was_training)
        for part, wants in zip(model.parameters(), wanted, strict=True):
            part.requires_grad_(wants)
            part.grad = None
