"""The configuration of a model, read off its parts: true whatever has been exchanged since."""

import torch
from torch import nn

from spitgraph.models.configurations import Configuration, configure
from spitgraph.models.extraction import EXTRACTORS
from spitgraph.models.factory import build
from spitgraph.models.families import FAMILIES
from spitgraph.models.infer import inferred_arguments
from spitgraph.models.wrappers import plain_state, spit_inside, unwrapped
from spitgraph.nn import Backbone, DropPath, SPiT, TokenEmbedder

#: What no parameter tells of extractors that have it.
COLOURS = ("mean", "std", "sigma")


class NoConfigurationError(ValueError):
    """`create_model` makes no such model."""


def configuration_of(model: nn.Module) -> Configuration:
    """The configuration that makes a model like this one.

    Args:
        model: A `SPiT`, alone or wrapped: compiled, parallel, sharded or averaged.

    Raises:
        NoConfigurationError: The model has parts that `create_model` does not make.
        TypeError: It is no `SPiT`.
    """
    spit = spit_inside(model)
    tokenizer, extractor = unwrapped(spit.tokenizer), unwrapped(spit.extractor)
    embedder, backbone = unwrapped(spit.embedder), unwrapped(spit.backbone)
    if not (isinstance(embedder, TokenEmbedder) and isinstance(backbone, Backbone)):
        kinds = f"{type(embedder).__name__} and {type(backbone).__name__}"
        raise NoConfigurationError(f"create_model makes no models of {kinds}")
    families = [family for family in FAMILIES.values() if type(tokenizer) is family.tokenizer]
    if not families or type(extractor) not in EXTRACTORS.values():
        raise NoConfigurationError(f"create_model makes no models of {tokenizer} and {extractor}")
    try:
        arguments = inferred_arguments(shapes(model), families[0].name, backbone.num_heads) | {
            "drop_path": last_drop_path(backbone),
            "token_budget": embedder.token_budget,
            "image_size": getattr(spit, "image_size", None),
            **{name: getattr(extractor, name) for name in COLOURS if hasattr(extractor, name)},
            "norm_eps": backbone.norm_eps,
            "init_values": backbone.init_values,
            "size_bias": backbone.size_bias,
            "activation": backbone.activation,
            "pool": backbone.pooling,
        }
        settings = {key: getattr(tokenizer, key) for key in families[0].options}
        configuration = configure(**arguments, **settings)
    except ValueError as error:
        raise NoConfigurationError(f"create_model makes no such model: {error}") from error
    again = without_memory(configuration)
    if repr((again.tokenizer, again.extractor)) != repr((tokenizer, extractor)):
        raise NoConfigurationError(f"create_model makes no models of {tokenizer} and {extractor}")
    differing = set(shapes(again).items()) ^ set(shapes(model).items())
    if differing:
        key, shape = min(differing)
        raise NoConfigurationError(f"create_model makes no models with {key} {list(shape)}")
    return configuration


def last_drop_path(backbone: nn.Module) -> float:
    """DropPath's probability in the last block, without the rounding of float32."""
    rates = [part.drop_prob for part in backbone.modules() if isinstance(part, DropPath)]
    return round(rates[-1], 6) if rates else 0.0


def without_memory(configuration: Configuration) -> SPiT:
    """The model of a configuration, its parameters without values."""
    with torch.device("meta"):
        return build(configuration)


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter and buffer, by the names of the model that is not wrapped."""
    return {key: tuple(value.shape) for key, value in plain_state(model).items()}
