"""The same weights on other regions."""

from typing import Any

from spitgraph.checks import one_of
from spitgraph.models.describe import configuration_of
from spitgraph.models.factory import create_model
from spitgraph.models.from_vit import TOKENIZERS
from spitgraph.nn import SPiT


def retokenized(model: SPiT, tokenizer: str | None = None, **options: Any) -> SPiT:
    """A copy of a model that reads other regions.

    Args:
        model: What `create_model`, `from_vit` or `model_from_weights` gave.
        tokenizer: `"superpixel"`, `"patch"` or `"voronoi"`; by default, as it is.
        options: Of the tokenizer, such as `num_tokens`; the others are the model's own, or where
            the kind is another, that one's defaults.

    Raises:
        ValueError: There is no such tokenizer, or a value is outside its range.
        TypeError: The tokenizer has no such option.
    """
    configuration = configuration_of(model)
    asked = configuration.arguments()
    family = configuration.family
    if tokenizer is not None:
        family = TOKENIZERS[one_of(tokenizer, TOKENIZERS, "tokenizer")]
    if family != configuration.family:
        asked = {key: value for key, value in asked.items() if key not in configuration.options}
        asked["name"] = "_".join([family, *configuration.name.split("_")[1:]])
    other = create_model(**asked | options)
    other.load_state_dict(model.state_dict())
    return other.train(model.training)
