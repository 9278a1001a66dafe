"""Extractors by name, and what the length of a vector tells of them."""

import math
from typing import TYPE_CHECKING, Any

from spitgraph.extractors import Extractor, InterpolationExtractor, WindowExtractor
from spitgraph.extractors.interpolation.layout import VectorLayout

if TYPE_CHECKING:
    from spitgraph.models.configurations import Configuration

#: Kinds of φ that models by name have.
EXTRACTORS: dict[str, type[Extractor]] = {
    "interpolation": InterpolationExtractor,
    "windows": WindowExtractor,
}


def make_extractor(configuration: "Configuration") -> Extractor:
    """φ of a configuration."""
    colours = {"mean": configuration.mean, "std": configuration.std}
    if configuration.extractor == "windows":
        return WindowExtractor(configuration.bins, **colours)
    return InterpolationExtractor(
        configuration.bins,
        gradient=configuration.gradient,
        sigma=configuration.sigma,
        mode=configuration.mode,
        **colours,
    )


def extractor_arguments(length: int) -> dict[str, Any]:
    """Arguments of `create_model` that a vector's length tells: 3β², 4β² or 5β², never alike.

    Raises:
        ValueError: It is none of these.
    """
    side = math.isqrt(length // 3)
    if side and 3 * side**2 == length:
        return {"extractor": "windows", "gradient": False, "bins": side}
    layout = VectorLayout.of_length(length)
    return {"extractor": "interpolation", "gradient": layout.gradient, "bins": layout.bins}
