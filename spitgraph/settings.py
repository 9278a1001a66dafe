"""How images are contracted: the options of τ, said once.

Tokenizer, transforms, operators, models and command line take theirs from here. The command line
does so before PyTorch is imported.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from spitgraph.checks import integer, one_of, unit_interval

if TYPE_CHECKING:
    from torch import Tensor

#: Far more than there are levels that still merge regions; each takes memory for all that are left.
MOST_LEVELS = 1000
#: Rules of contraction.
QUALITIES = {"fast": "METHOD 2", "fine": "METHOD 10"}


def option(default: Any, help: str, **shown: Any) -> Any:
    """A field; on the command line it is an option of its name, or of the `flag` that is shown."""
    return field(default=default, metadata={"help": help, **shown})


@dataclass(frozen=True)
class Settings:
    """How images are contracted into superpixels (METHOD 1–3; Aasan et al. 2024, §2.1).

    Args:
        levels: Contraction steps T, at most 1000. T = 4 gives tokens of about the size of 14×14
            patches.
        num_tokens: Exact count K of tokens an image, 1 … H·W, in place of a count of levels.
        compactness: λ in [0, 1]; how much square regions are preferred to similar ones.
        similarity: Weight of an edge: `"distance"`, `"ward"` or `"cosine"` (the authors'), or a
            callable (u, v, size_u, size_v) → weights [E] float, of both ends of E edges: u and v
            are their mean features [E, C] float64, size_u and size_v their pixels [E] float64. It
            weighs every edge on its own, and the same from both sides. The larger the weight, the
            sooner an edge is contracted, −∞ never; regions wait where their self-loops, 0.125 …
            0.875, are stronger. Weights are rounded to 2⁻⁴⁰. Plain operations serve.
        features: What is compared: `"lab"`, `"spit"` (the authors'), or a callable
            image [3, H, W] → [C, H, W] or [H·W, C] float.
        quality: `"fast"`, or `"fine"` for regions that follow borders more closely, at about seven
            times the cost; it goes with `num_tokens`, and has a similarity of its own.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    levels: int = option(4, "contraction steps", metavar="T", type=int)
    _: KW_ONLY
    num_tokens: int | None = option(
        None, "exactly K tokens, in place of --levels", metavar="K", type=int
    )
    compactness: float = option(0.0, "0 … 1, preference for squares", metavar="λ", type=float)
    similarity: "str | Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]" = option(
        "distance", "weight of an edge: distance, ward or cosine"
    )
    features: "str | Callable[[Tensor], Tensor]" = option(
        "lab", "what is compared: lab or spit", flag="compare"
    )
    quality: str = option("fast", "fast, or fine, which goes with --num-tokens")

    def __post_init__(self) -> None:
        from spitgraph.contraction.weights import SIMILARITIES
        from spitgraph.pixels import FEATURES

        checked: dict[str, Any] = {
            "levels": integer(self.levels, "levels"),
            "compactness": unit_interval(self.compactness, "compactness"),
            "quality": one_of(self.quality, QUALITIES, "quality"),
        }
        if checked["levels"] > MOST_LEVELS:
            raise ValueError(f"levels must be at most {MOST_LEVELS}, got {self.levels}")
        if self.num_tokens is not None:
            checked["num_tokens"] = integer(self.num_tokens, "num_tokens")
        if not callable(self.similarity):
            checked["similarity"] = one_of(self.similarity, SIMILARITIES, "similarity")
        if not callable(self.features):
            checked["features"] = one_of(self.features, FEATURES, "features")
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_quality()

    def _check_quality(self) -> None:
        if self.quality != "fine":
            return
        if self.num_tokens is None:
            raise ValueError("quality='fine' leads to an exact count: give num_tokens")
        for name in ("compactness", "similarity"):
            if getattr(self, name) != getattr(type(self), name):
                raise ValueError(f"quality='fine' takes no {name}, got {getattr(self, name)!r}")

    @property
    def is_fine(self) -> bool:
        """Whether the fine rule is meant."""
        return self.quality == "fine"

    @property
    def is_told(self) -> bool:
        """Whether these tell what they make: functions of the caller's own do not."""
        return isinstance(self.features, str) and isinstance(self.similarity, str)

    @property
    def similarity_name(self) -> str:
        """The similarity, where it is one of those by name: all that compiled bodies know."""
        assert isinstance(self.similarity, str)
        return self.similarity

    def __str__(self) -> str:
        """As arguments: `levels`, or the count in their place, and all that follow."""
        shown = {
            name: value if isinstance(value, str | float) or not callable(value) else "callable"
            for name, value in vars(self).items()
            if value is not None
            and not (name == "levels" and self.num_tokens is not None)
            and not (name == "quality" and value == type(self).quality)
        }
        return ", ".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}"
            for name, value in shown.items()
        )

    def to_json(self) -> str:
        """What an operator takes, which knows no Python objects."""
        named = self if isinstance(self.features, str) else replace(self, features="lab")
        return _json(named)

    @staticmethod
    @lru_cache(maxsize=64)
    def from_json(text: str) -> "Settings":
        """What `to_json` wrote; features of the caller's own come as numbers instead."""
        return Settings(**json.loads(text))


Taker = TypeVar("Taker", bound=type)


def takes_settings(cls: Taker) -> Taker:
    """Show, on a class that hands its arguments to `Settings`, the options by their names."""
    cls.__signature__ = inspect.signature(Settings)  # type: ignore[attr-defined]
    return cls


@lru_cache(maxsize=64)
def _json(settings: Settings) -> str:
    return json.dumps(asdict(settings))
