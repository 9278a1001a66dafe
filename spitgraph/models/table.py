"""What `spitgraph models` lists: every configuration with its parameters and multiply-adds."""

import math
from dataclasses import dataclass

from spitgraph.checks import integer
from spitgraph.extractors.interpolation.layout import VectorLayout
from spitgraph.models.configurations import (
    Configuration,
    configure,
    list_models,
)
from spitgraph.models.describe import shapes, without_memory
from spitgraph.models.families import FAMILIES, IMAGE_SIZE, PATCH_SIZE


@dataclass(frozen=True)
class ModelRow:
    """One named configuration, in numbers.

    Attributes:
        name: What `create_model` takes.
        tokens: What the tokenizer cuts images into.
        embed_dim: Width.
        depth: Blocks.
        num_heads: Heads.
        parameters: Count of all parameters.
        multiply_adds: Of one image of so many tokens, from token vectors to logits.
    """

    name: str
    tokens: str
    embed_dim: int
    depth: int
    num_heads: int
    parameters: int
    multiply_adds: int


def model_table(num_tokens: int = (IMAGE_SIZE // PATCH_SIZE) ** 2) -> list[ModelRow]:
    """A row for every named configuration.

    Args:
        num_tokens: Tokens of the image that multiply-adds are counted for; by default as many as a
            square image of 224 pixels has 16×16 patches.

    Raises:
        ValueError: There is not at least one token.
    """
    num_tokens = integer(num_tokens, "num_tokens")
    rows = []
    for name in list_models():
        configuration = configure(name)
        sizes = shapes(without_memory(configuration)).values()
        rows.append(
            ModelRow(
                name=name,
                tokens=FAMILIES[configuration.family].tokens,
                embed_dim=configuration.embed_dim,
                depth=configuration.depth,
                num_heads=configuration.num_heads,
                parameters=sum(math.prod(size) for size in sizes),
                multiply_adds=multiply_adds(configuration, num_tokens),
            )
        )
    return rows


def multiply_adds(configuration: Configuration, num_tokens: int) -> int:
    """Multiply-adds of the matrix products from token vectors to logits, of one image.

    Norms, activations and the softmax, which are about a hundredth, are left out; so are τ and φ.
    """
    width, tokens = configuration.embed_dim, num_tokens + 1  # with the class token
    hidden = int(width * configuration.mlp_ratio)
    vector = VectorLayout(configuration.bins, configuration.gradient).length
    block = tokens * width * (4 * width + 2 * hidden) + 2 * tokens**2 * width
    return (
        num_tokens * vector * width
        + configuration.depth * block
        + width * configuration.num_classes
    )
