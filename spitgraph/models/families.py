"""Families of models: what the first part of a name says of tokenizer and extractor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from spitgraph.checks import instance
from spitgraph.extractors.interpolation.bandwidth import sigma_of
from spitgraph.settings import Settings
from spitgraph.tokenizers import PatchTokenizer, SuperpixelTokenizer, Tokenizer, VoronoiTokenizer

#: Side of a square image that no image size was told for, and of the patches that names end in.
IMAGE_SIZE, PATCH_SIZE = 224, 16
#: Bins a side of the released variants.
BINS = 16


class Asked(NamedTuple):
    """What defaults may depend on.

    Attributes:
        size: `"tiny"`, `"small"`, `"base"` or `"large"`.
        gradient: Whether token vectors hold gradient histograms.
        image_size: Side in pixels of the images that the model is meant for, if it was told.
        overrides: What the caller says otherwise.
    """

    size: str
    gradient: bool
    image_size: int | None
    overrides: Mapping[str, Any]

    @property
    def bins(self) -> Any:
        """β, as it was told."""
        return self.overrides.get("bins", BINS)

    def sigma(self, of_variants: float) -> float:
        """σ of the released variants, and of other numbers of bins what goes with these."""
        is_read = self.overrides.get("extractor") != "windows"
        return of_variants if self.bins == BINS or not is_read else sigma_of(self.bins)


@dataclass(frozen=True)
class Family:
    """Models that share a tokenizer.

    Attributes:
        name: First part of their names, as in `"spit_tiny_16"`.
        tokens: What images are cut into, in the plural.
        tokenizer: Its class, by which a model's family is recognised.
        defaults: What σ and the tokenizer's options are where nothing is said.
        options: The tokenizer's arguments, which are also overrides of `create_model`.
        mode: How φ samples colour, or what tells it from a configuration.
    """

    name: str
    tokens: str
    tokenizer: type[Tokenizer]
    defaults: Callable[[Asked], dict[str, Any]]
    options: tuple[str, ...] = ()
    mode: str | Callable[[Any], str] = "bilinear"


#: All families, by name.
FAMILIES: dict[str, Family] = {}


def register_family(family: Family) -> Family:
    """Add a family: `create_model`, `list_models`, saving and loading know it from now on.

    Args:
        family: Its tokenizer's options must be readable as attributes of the same name.

    Raises:
        ValueError: Its name is no identifier without underscores, it or its tokenizer is taken, or
            the defaults leave something out.
        TypeError: It is no `Family`.
    """
    instance(family, Family, "family", "a Family")
    if not family.name.isidentifier() or "_" in family.name:
        raise ValueError(
            f"a family's name must be an identifier without underscores, got {family.name!r}"
        )
    for other in FAMILIES.values():
        if family.name == other.name or family.tokenizer is other.tokenizer:
            what = f"{family.name!r} with {family.tokenizer.__name__}"
            raise ValueError(
                f"{what} clashes with family {other.name!r} of {other.tokenizer.__name__}"
            )
    given = family.defaults(Asked("tiny", True, None, {})).keys()
    missing = {"sigma", *family.options} - {*given}
    if missing:
        raise ValueError(f"the defaults of {family.name!r} lack {', '.join(sorted(missing))}")
    FAMILIES[family.name] = family
    return family


def superpixel_defaults(asked: Asked) -> dict[str, Any]:
    """Those of the released variants (METHOD 5), except that Lab is compared.

    The authors' comparison features come with their similarity; other features with the library's.
    """
    features = asked.overrides.get("features", "lab")
    is_fine = asked.overrides.get("quality") == "fine"
    return {
        **{option.name: option.default for option in fields(Settings)},
        "sigma": asked.sigma(0.05 if asked.size == "base" and asked.gradient else 0.025),
        "compactness": 0.0 if asked.gradient or is_fine else 0.1,
        "features": features,
        "similarity": "cosine" if features == "spit" and not is_fine else "distance",
    }


def voronoi_defaults(asked: Asked) -> dict[str, Any]:
    """As many cells as 16×16 patches."""
    side = (asked.image_size or IMAGE_SIZE) // PATCH_SIZE
    return {"sigma": asked.sigma(0.025), "num_tokens": max(1, side * side)}


def patch_defaults(asked: Asked) -> dict[str, Any]:
    """Patches of a pixel a bin."""
    return {"sigma": asked.sigma(0.025), "patch_size": asked.bins}


def patch_mode(configuration: Any) -> str:
    """The pixels themselves, where patches have one a bin; else all of the patch, stretched."""
    return "nearest" if configuration.patch_size == configuration.bins else "bilinear"


register_family(
    Family(
        "spit",
        "superpixels",
        SuperpixelTokenizer,
        superpixel_defaults,
        options=tuple(option.name for option in fields(Settings)),
    )
)
register_family(
    Family(
        "vit",
        "patches",
        PatchTokenizer,
        patch_defaults,
        options=("patch_size",),
        mode=patch_mode,
    )
)
register_family(
    Family("rvit", "random Voronoi cells", VoronoiTokenizer, voronoi_defaults, ("num_tokens",))
)
