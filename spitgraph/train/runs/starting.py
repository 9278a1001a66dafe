"""The model that a run begins with: new, from weights of this library, or from a plain ViT."""

import math
from typing import Any

from spitgraph.models import configuration_of, create_model, from_vit, model_from_weights
from spitgraph.models.factory import build_head
from spitgraph.models.files import read_state
from spitgraph.models.from_vit import TOKENIZERS
from spitgraph.models.retokenize import retokenized
from spitgraph.nn import SPiT
from spitgraph.train.runs.options import TrainingOptions


def starting_model(
    options: TrainingOptions, num_classes: int, image_size: tuple[int, int] | None
) -> SPiT:
    """The model that options describe, with a head of so many classes.

    Args:
        options: Of the run.
        num_classes: Those of the data. A head of another number is made anew.
        image_size: Height and width of the pictures that the model will see, where all are equal.

    Raises:
        ValueError: Options do not go together, or weights do not fit.
        OSError: A file cannot be opened.
    """
    if options.weights is not None and options.vit is not None:
        raise ValueError("weights and vit exclude each other")
    if options.weights is not None:
        return with_classes(from_own(options, image_size), num_classes)
    if options.vit is not None:
        return with_classes(from_plain(options, image_size), num_classes)
    side = options.position_grid
    told = {
        "embed_dim": options.width,
        "depth": options.depth,
        "num_heads": options.heads,
        "sigma": options.sigma,
        "position_grid": None if side is None else (side, side),
        "mean": options.mean,
        "std": options.std,
    }
    return create_model(
        f"{TOKENIZERS[options.tokenizer or 'superpixel']}_{options.size}_16",
        num_classes=num_classes,
        gradient=options.gradient,
        graph_bias=options.graph_bias,
        image_size=None if image_size is None else max(image_size),
        token_budget=options.token_budget,
        drop_path=options.drop_path,
        bins=options.bins,
        init_values=options.init_values,
        size_bias=options.size_bias,
        registers=options.registers,
        pool=options.pool,
        **tokenizer_options(options, image_size),
        **{name: value for name, value in told.items() if value is not None},
    )


def from_own(options: TrainingOptions, image_size: tuple[int, int] | None) -> SPiT:
    """A model of this library's weights; perhaps of other tokens than they were trained with."""
    assert options.weights is not None
    model = model_from_weights(
        options.weights, token_budget=options.token_budget, drop_path=options.drop_path
    )
    if options.tokenizer is None and options.num_tokens is None:
        return model
    names = {family: name for name, family in TOKENIZERS.items()}
    kind = options.tokenizer or names[configuration_of(model).family]
    return retokenized(model, kind, **tokenizer_options(options, image_size, kind))


def from_plain(options: TrainingOptions, image_size: tuple[int, int] | None) -> SPiT:
    """A model of a plain ViT's weights."""
    assert options.vit is not None
    tokenizer = options.tokenizer or "superpixel"
    told = {} if tokenizer == "patch" else tokenizer_options(options, image_size)
    return from_vit(
        read_state(options.vit),
        tokenizer=tokenizer,
        mean=options.mean,
        std=options.std,
        activation=options.activation,
        image_size=image_size,
        extractor="windows" if tokenizer == "patch" else options.extractor,
        token_budget=options.token_budget,
        drop_path=options.drop_path,
        graph_bias=options.graph_bias,
        **told,
    )


def tokenizer_options(
    options: TrainingOptions, image_size: tuple[int, int] | None, tokenizer: str | None = None
) -> dict[str, Any]:
    """What a tokenizer is told.

    Raises:
        ValueError: So many square patches do not make such a picture.
    """
    tokenizer, count = tokenizer or options.tokenizer or "superpixel", options.num_tokens
    if tokenizer == "patch":
        return {} if count is None else {"patch_size": patch_side(count, image_size)}
    told: dict[str, Any] = {} if count is None else {"num_tokens": count}
    if tokenizer == "superpixel":
        own = {"quality": options.quality, "compactness": options.compactness}
        told |= {name: value for name, value in own.items() if value is not None}
    return told


def patch_side(count: int, image_size: tuple[int, int] | None) -> int:
    """Side of the square patches of which so many make a picture."""
    if image_size is None:
        raise ValueError("num_tokens of patches needs pictures of one size: give an image_size")
    height, width = image_size
    side = math.isqrt(height * width // count) if count > 0 else 0
    if side < 1 or height % side or width % side or height * width != count * side**2:
        fitting = [
            height * width // side**2
            for side in range(1, min(height, width) + 1)
            if height % side == 0 and width % side == 0
        ]
        raise ValueError(
            f"{count} square patches do not make a picture of {height}×{width}: "
            f"{', '.join(map(str, fitting))} would"
        )
    return side


def with_classes(model: SPiT, num_classes: int) -> SPiT:
    """The model with a head of so many classes; another number of them means a new head."""
    if getattr(model.head, "out_features", None) != num_classes:
        model.head = build_head(model.backbone.embed_dim, num_classes, "linear")
    return model
