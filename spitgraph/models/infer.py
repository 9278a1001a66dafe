"""The configuration that a set of parameters was made with, as far as their shapes tell it."""

import math
import re
from collections.abc import Mapping
from typing import Any

from spitgraph.models.configurations import HEAD_DIM, SIZES
from spitgraph.models.extraction import extractor_arguments

CLASS_TOKEN, REGISTERS = "embedder.cls_token", "embedder.reg_token"
Shapes = Mapping[str, tuple[int, ...]]


def inferred_arguments(shapes: Shapes, family: str, num_heads: int | None = None) -> dict[str, Any]:
    """Arguments of `create_model` for parameters of these shapes, by our names.

    Width, depth, bins and gradients, classes and biases follow from them. Heads are as wide as the
    norms of their queries, without such norms 64, unless their number is known.

    Raises:
        ValueError: The shapes are of no model that `create_model` makes.
    """
    width, vector = dimensions(shapes, "embedder.linear.weight", 2)
    head = head_kind(shapes)
    num_classes = width if head == "none" else dimensions(shapes, "head.weight", 2)[0]
    hidden, _ = dimensions(shapes, "backbone.blocks.0.mlp.fc1.weight", 2)
    try:
        extractor = extractor_arguments(vector)
    except ValueError as error:
        raise ValueError(f"embedder.linear.weight: {error}") from None
    blocks = {
        int(match[1]) for key in shapes if (match := re.match(r"backbone\.blocks\.(\d+)", key))
    }
    depth = max(blocks) + 1
    return {
        "name": f"{family}_{nearest_size(width, depth)}_16",
        "num_classes": num_classes,
        "graph_bias": any(key.startswith("backbone.graph_bias") for key in shapes),
        "embed_dim": width,
        "depth": depth,
        "num_heads": number_of_heads(shapes, width) if num_heads is None else num_heads,
        "mlp_ratio": ratio(hidden, width),
        "qkv_bias": "backbone.blocks.0.attn.qkv.bias" in shapes,
        "qk_norm": "backbone.blocks.0.attn.q_norm.weight" in shapes,
        **extractor,
        **prefix_and_positions(shapes),
        "norm_pre": "backbone.norm_pre.weight" in shapes,
        "pool": pool_kind(shapes),
        "head": head,
    }


def prefix_and_positions(shapes: Shapes) -> dict[str, Any]:
    """Class token, registers and a table of positions, as far as there are any."""
    table = "embedder.position_table"
    grid = dimensions(shapes, table, 4)[1:3] if table in shapes else None
    registers = dimensions(shapes, REGISTERS, 3)[1] if REGISTERS in shapes else 0
    return {
        "class_token": CLASS_TOKEN in shapes,
        "registers": registers,
        "position_grid": grid,
    }


def pool_kind(shapes: Shapes) -> str:
    """What stands for an image, as far as parameters tell it."""
    if "backbone.pool.latent" in shapes:
        return "attention"
    if "backbone.pool.norm.weight" in shapes:
        return "mean_norm"
    return "token" if CLASS_TOKEN in shapes else "mean"


def head_kind(shapes: Shapes) -> str:
    """The head, by its parameters; see `HEADS`."""
    if not any(key.startswith("head.") for key in shapes):
        return "none"
    return "linear" if "head.bias" in shapes else "projection"


def dimensions(shapes: Shapes, key: str, number: int) -> tuple[int, ...]:
    """Shape of a parameter that every model has."""
    if key not in shapes:
        raise ValueError(f"it lacks {key}")
    if len(shapes[key]) != number:
        raise ValueError(f"{key} is {list(shapes[key])}, and not of {number} dimensions")
    return shapes[key]


def number_of_heads(shapes: Shapes, width: int) -> int:
    """As many as are as wide as the norm of a query, or 64 wide."""
    norm = "backbone.blocks.0.attn.q_norm.weight"
    head = dimensions(shapes, norm, 1)[0] if norm in shapes else HEAD_DIM
    if width % head:
        raise ValueError(f"a width of {width} does not divide into heads of {head}: tell num_heads")
    return width // head


def ratio(hidden: int, width: int) -> float:
    """A ratio by which the width becomes the hidden one, fractions cut off."""
    quotient = hidden / width
    return quotient if int(width * quotient) == hidden else math.nextafter(quotient, math.inf)


def nearest_size(width: int, depth: int) -> str:
    """The named size of this width and depth, or the one that comes nearest."""
    return min(SIZES, key=lambda size: (abs(SIZES[size][0] - width), abs(SIZES[size][1] - depth)))
