"""Image tokens that follow the image: superpixel token graphs for vision transformers."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spitgraph.corpus import TokenDataset
    from spitgraph.data import TokenData
    from spitgraph.datasets import SuperpixelGraphs
    from spitgraph.extractors import (
        Extractor,
        InterpolationExtractor,
        RegionPool,
        WindowExtractor,
    )
    from spitgraph.hierarchy import Hierarchy
    from spitgraph.images import UnreadableImageError
    from spitgraph.kernels import warm_up
    from spitgraph.models import (
        create_model,
        list_models,
        load_weights,
        model_from_weights,
        save_weights,
    )
    from spitgraph.models.from_vit import from_vit
    from spitgraph.models.retrofit import retrofit
    from spitgraph.nn import SPiT
    from spitgraph.tokenizers import (
        PatchTokenizer,
        SuperpixelTokenizer,
        VoronoiTokenizer,
        from_masks,
        from_partition,
        refine,
    )

__version__ = "0.1.0"

__all__ = [
    "Extractor",
    "Hierarchy",
    "InterpolationExtractor",
    "PatchTokenizer",
    "RegionPool",
    "SPiT",
    "SuperpixelGraphs",
    "SuperpixelTokenizer",
    "TokenData",
    "TokenDataset",
    "UnreadableImageError",
    "VoronoiTokenizer",
    "WindowExtractor",
    "create_model",
    "from_masks",
    "from_partition",
    "from_vit",
    "list_models",
    "load_weights",
    "model_from_weights",
    "refine",
    "retrofit",
    "save_weights",
    "warm_up",
]

#: Where the public names live; they are imported when first asked for.
_MODULES = {
    "Extractor": "spitgraph.extractors",
    "Hierarchy": "spitgraph.hierarchy",
    "InterpolationExtractor": "spitgraph.extractors",
    "PatchTokenizer": "spitgraph.tokenizers",
    "RegionPool": "spitgraph.extractors",
    "SPiT": "spitgraph.nn",
    "SuperpixelGraphs": "spitgraph.datasets",
    "SuperpixelTokenizer": "spitgraph.tokenizers",
    "TokenData": "spitgraph.data",
    "TokenDataset": "spitgraph.corpus",
    "UnreadableImageError": "spitgraph.images",
    "VoronoiTokenizer": "spitgraph.tokenizers",
    "WindowExtractor": "spitgraph.extractors",
    "create_model": "spitgraph.models",
    "from_masks": "spitgraph.tokenizers",
    "from_partition": "spitgraph.tokenizers",
    "from_vit": "spitgraph.models",
    "list_models": "spitgraph.models",
    "load_weights": "spitgraph.models",
    "model_from_weights": "spitgraph.models",
    "refine": "spitgraph.tokenizers",
    "retrofit": "spitgraph.models",
    "save_weights": "spitgraph.models",
    "warm_up": "spitgraph.kernels",
}
_SUBMODULES = {
    "corpus",
    "datasets",
    "explain",
    "inspection",
    "kernels",
    "labels",
    "memory",
    "metrics",
    "models",
    "nn",
    "segment",
    "train",
    "transforms",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"spitgraph.{name}")
    raise AttributeError(f"module 'spitgraph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *_SUBMODULES])


if "torch" in sys.modules:  # torch.load has to know what it may make, and does not ask here
    importlib.import_module("spitgraph.data")
