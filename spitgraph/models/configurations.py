"""The named configurations: three tokenizers in four sizes, and what may be told otherwise."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from spitgraph.checks import integer

#: Width, depth and heads of each size (METHOD 5).
SIZES = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
}
#: What each first half of a name tokenizes into, and the overrides that are about it.
FAMILIES = {
    "spit": ("superpixels", ("levels", "num_tokens", "compactness", "features", "similarity")),
    "vit": ("patches", ()),
    "rvit": ("random Voronoi cells", ("num_tokens",)),
}
NAMES = tuple(f"{family}_{size}_16" for family in FAMILIES for size in SIZES)

#: Overrides that every configuration takes.
COMMON = ("embed_dim", "depth", "num_heads", "mlp_ratio", "qkv_bias", "qk_norm", "bins", "sigma")
#: Width of a head, where only the width of the model is told.
HEAD_DIM = 64
#: Side of a square image that no image size was told for, and of the patches that names end in.
IMAGE_SIZE, PATCH_SIZE = 224, 16


@dataclass(frozen=True)
class Configuration:
    """Every number that makes a model; arguments of `create_model` say what they mean.

    What is about another tokenizer than the configuration's own is None.
    """

    name: str
    num_classes: int
    gradient: bool
    graph_bias: bool
    image_size: int | None
    token_budget: int | None
    drop_path: float
    embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float
    qkv_bias: bool
    qk_norm: bool
    bins: int
    sigma: float
    levels: int | None = None
    num_tokens: int | None = None
    compactness: float | None = None
    features: str | Callable[[Tensor], Tensor] | None = None
    similarity: str | None = None

    @property
    def family(self) -> str:
        """`"spit"`, `"vit"` or `"rvit"`."""
        return self.name.split("_")[0]

    @property
    def mode(self) -> str:
        """How φ samples colour: patches hold a pixel a bin, other regions are stretched."""
        return "nearest" if self.family == "vit" else "bilinear"

    def tokenizer_settings(self) -> dict[str, Any]:
        """Arguments of the tokenizer."""
        return {key: getattr(self, key) for key in FAMILIES[self.family][1]}

    def arguments(self) -> dict[str, Any]:
        """Arguments of `create_model` that make this model again, defaults spelled out."""
        return {key: value for key, value in vars(self).items() if value is not None}


def list_models() -> list[str]:
    """The names that `create_model` takes."""
    return list(NAMES)


def configure(
    name: str,
    *,
    num_classes: int = 1000,
    gradient: bool = True,
    graph_bias: bool = False,
    image_size: int | None = None,
    token_budget: int | None = None,
    drop_path: float = 0.0,
    **overrides: Any,
) -> Configuration:
    """The configuration of a name, with what the caller says otherwise; see `create_model`.

    Raises:
        ValueError: There is no such name, or a value is outside its range.
        TypeError: There is no such override, it is not about this tokenizer, or of another type.
    """
    if name not in NAMES:
        raise ValueError(f"there is no model {name!r}; there are {', '.join(NAMES)}")
    family, size, _ = name.split("_")
    check_overrides(name, family, overrides)
    values: dict[str, Any] = {
        **size_defaults(size, overrides.get("embed_dim")),
        **tokenizer_defaults(family, size, gradient, image_size, overrides),
        **overrides,
    }
    for key in ("mlp_ratio", "sigma", "compactness"):
        if type(values.get(key)) is int:
            values[key] = float(values[key])
    configuration = Configuration(
        name=name,
        num_classes=num_classes,
        gradient=gradient,
        graph_bias=graph_bias,
        image_size=image_size,
        token_budget=token_budget,
        drop_path=drop_path,
        **values,
    )
    return checked(configuration)


def check_overrides(name: str, family: str, overrides: dict[str, Any]) -> None:
    """Refuse overrides that do not exist, or are about another tokenizer."""
    kind, own = FAMILIES[family]
    known = {key for _, keys in FAMILIES.values() for key in keys} | set(COMMON)
    for key in overrides:
        if key in COMMON or key in own:
            continue
        problem = f"is not about {kind}" if key in known else "is no override"
        raise TypeError(f"{key!r} {problem}; {name} takes {', '.join((*COMMON, *own))}")


def size_defaults(size: str, embed_dim: int | None) -> dict[str, Any]:
    """Width, depth, heads and the like; heads of 64 where a width is told that they divide."""
    width, depth, num_heads = SIZES[size]
    if isinstance(embed_dim, int) and embed_dim >= HEAD_DIM and embed_dim % HEAD_DIM == 0:
        width, num_heads = embed_dim, embed_dim // HEAD_DIM
    return {
        "embed_dim": width,
        "depth": depth,
        "num_heads": num_heads,
        "mlp_ratio": 4.0,
        "qkv_bias": False,
        "qk_norm": False,
        "bins": 16,
    }


def tokenizer_defaults(
    family: str, size: str, gradient: bool, image_size: int | None, overrides: dict[str, Any]
) -> dict[str, Any]:
    """Settings of τ and φ, those of the released variants (METHOD 5).

    The authors' comparison features come with their similarity; other features with the library's.
    """
    if family == "vit":
        return {"sigma": 0.025}
    if family == "rvit":
        side = (image_size or IMAGE_SIZE) // PATCH_SIZE
        return {"sigma": 0.025, "num_tokens": max(1, side * side)}
    features = overrides.get("features", "lab")
    return {
        "sigma": 0.05 if size == "base" and gradient else 0.025,
        "levels": 4,
        "compactness": 0.0 if gradient else 0.1,
        "features": features,
        "similarity": "cosine" if features == "spit" else "distance",
    }


def checked(configuration: Configuration) -> Configuration:
    """The configuration, if what no part of the model will check is right."""
    integer(configuration.num_classes, "num_classes")
    if configuration.image_size is not None:
        integer(configuration.image_size, "image_size")
    for key in ("gradient", "graph_bias", "qkv_bias", "qk_norm"):
        value = getattr(configuration, key)
        if not isinstance(value, bool):
            raise TypeError(f"{key} must be True or False, got {value!r}")
    ratio = configuration.mlp_ratio
    if isinstance(ratio, bool) or not isinstance(ratio, int | float):
        raise TypeError(f"mlp_ratio must be a number, got {ratio!r}")
    if not 0 < ratio < math.inf:
        raise ValueError(f"mlp_ratio must be positive, got {ratio}")
    return configuration
