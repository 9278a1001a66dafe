"""The named configurations: three tokenizers in four sizes, and what may be told otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spitgraph.checks import (
    as_integer,
    boolean,
    channel_statistics,
    finite,
    integer,
    one_of,
    positive,
)
from spitgraph.models.extraction import EXTRACTORS
from spitgraph.models.families import BINS, FAMILIES, PATCH_SIZE, Asked, Family
from spitgraph.nn.activation import ACTIVATIONS
from spitgraph.nn.embedder import grid_of
from spitgraph.nn.layer_scale import INIT_VALUES
from spitgraph.nn.pool import POOLS
from spitgraph.tokenizers import Tokenizer

#: Width, depth and heads of each size (METHOD 5).
SIZES = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
}
#: Overrides that every configuration takes.
COMMON = (
    *("embed_dim", "depth", "num_heads", "mlp_ratio", "qkv_bias", "qk_norm", "bins", "sigma"),
    *("mean", "std", "position_grid", "class_token", "registers", "norm_pre", "norm_eps"),
    *("activation", "pool", "head", "extractor", "init_values", "size_bias"),
)
#: Heads by name.
HEADS = {
    "linear": "a linear layer",
    "projection": "a linear layer without bias",
    "none": "features as they are, as many as the model is wide",
}
#: Width of a head, where only the width of the model is told.
HEAD_DIM = 64


@dataclass(frozen=True)
class Configuration:
    """Every number that makes a model; arguments of `create_model` say what they mean.

    `options` are those of the tokenizer, which are read as attributes too.
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
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None
    position_grid: tuple[int, int] | None
    class_token: bool
    registers: int
    norm_pre: bool
    norm_eps: float
    activation: str
    pool: str
    head: str
    extractor: str
    init_values: float
    size_bias: bool
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__  # empty while a copy is made or unpickled
        if name not in values.get("options", ()):
            raise AttributeError(f"a configuration of {values.get('name')} has no {name!r}")
        return values["options"][name]

    @property
    def family(self) -> str:
        """The name's first part."""
        return self.name.split("_")[0]

    @property
    def mode(self) -> str:
        """How φ samples colour."""
        mode = FAMILIES[self.family].mode
        return mode if isinstance(mode, str) else mode(self)

    def tokenizer(self) -> Tokenizer:
        """τ."""
        return FAMILIES[self.family].tokenizer(**self.options)

    def arguments(self) -> dict[str, Any]:
        """Arguments of `create_model` that make this model again, defaults spelled out."""
        values = {**vars(self), **self.options}
        del values["options"]
        return {key: value for key, value in values.items() if value is not None}


def list_models() -> list[str]:
    """The names that `create_model` takes."""
    return [f"{family}_{size}_{PATCH_SIZE}" for family in FAMILIES for size in SIZES]


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
    names = list_models()
    if name not in names:
        raise ValueError(f"there is no model {name!r}; there are {', '.join(names)}")
    prefix, size, _ = name.split("_")
    family = FAMILIES[prefix]
    check_overrides(name, family, overrides)
    overrides = {key: plain_number(value) for key, value in overrides.items()}
    gradient, graph_bias = boolean(gradient, "gradient"), boolean(graph_bias, "graph_bias")
    gradient = gradient and overrides.get("extractor") != "windows"
    if image_size is not None:
        image_size = integer(image_size, "image_size")
    values: dict[str, Any] = {
        **size_defaults(size, overrides.get("embed_dim")),
        **family.defaults(Asked(size, gradient, image_size, overrides)),
        **overrides,
    }
    if type(values.get("compactness")) is int:
        values["compactness"] = float(values["compactness"])
    values |= checked_parts(values)
    num_classes = integer(num_classes, "num_classes")
    return Configuration(
        name=name,
        num_classes=values["embed_dim"] if values["head"] == "none" else num_classes,
        gradient=gradient,
        graph_bias=graph_bias,
        image_size=image_size,
        token_budget=plain_number(token_budget),
        drop_path=drop_path,
        options={key: values.pop(key) for key in family.options},
        **values,
    )


def checked_parts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that no part checks when it is made, or that are to be compared."""
    checked: dict[str, Any] = {
        key: boolean(values[key], key)
        for key in ("qkv_bias", "qk_norm", "class_token", "norm_pre", "size_bias")
    }
    for key in ("mlp_ratio", "norm_eps", "sigma"):
        checked[key] = positive(values[key], key)
    checked["init_values"] = finite(values["init_values"], "init_values")
    kinds: dict[str, dict] = {
        "activation": ACTIVATIONS,
        "pool": POOLS,
        "head": HEADS,
        "extractor": EXTRACTORS,
    }
    for key, choices in kinds.items():
        checked[key] = one_of(values[key], choices, key)
    if checked["pool"] == "token" and not checked["class_token"]:
        raise ValueError("without class_token, pool must be another than 'token'")
    if values["position_grid"] is not None:
        checked["position_grid"] = grid_of(values["position_grid"])
    statistics = channel_statistics(values["mean"], values["std"])
    checked["mean"], checked["std"] = (None, None) if statistics is None else statistics
    return checked


def plain_number(value: Any) -> Any:
    """Whole numbers of NumPy and PyTorch as Python's, which files and names hold; others as is."""
    whole = as_integer(value)
    return value if whole is None else whole


def check_overrides(name: str, family: Family, overrides: dict[str, Any]) -> None:
    """Refuse overrides that do not exist, or are about another tokenizer."""
    known = {key for other in FAMILIES.values() for key in other.options} | set(COMMON)
    for key in overrides:
        if key in COMMON or key in family.options:
            continue
        problem = f"is not about {family.tokens}" if key in known else "is no override"
        raise TypeError(f"{key!r} {problem}; {name} takes {', '.join((*COMMON, *family.options))}")


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
        "bins": BINS,
        "mean": None,
        "std": None,
        "position_grid": None,
        "class_token": True,
        "registers": 0,
        "norm_pre": False,
        "norm_eps": 1e-6,
        "activation": "gelu",
        "pool": "token",
        "head": "linear",
        "extractor": "interpolation",
        "init_values": INIT_VALUES,
        "size_bias": False,
    }
