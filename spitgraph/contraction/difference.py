"""Where two bodies of the contraction part: for whoever changes one of them.

A *body* is a module, or any object, that has the steps of `naive.py` by their names. Level by
level, both do each step on the same data, which is the first one's.
"""

from importlib import import_module
from typing import Any, NamedTuple

from spitgraph.contraction import naive
from spitgraph.contraction.graph import quantise
from spitgraph.contraction.naive import Level
from spitgraph.images import ImageLike, load_image
from spitgraph.pixels import comparison_features
from spitgraph.settings import Settings

#: Bodies by name, and the modules that have their steps.
BODIES = {
    "naive": "spitgraph.contraction.naive",
    "plain": "spitgraph.contraction.steps",
    "numba": "spitgraph.contraction.cpu.steps",
}


class Difference(NamedTuple):
    """The first result in which two bodies part.

    Attributes:
        level: t, of the regions that the step was done on.
        step: Its name.
        region: The region, of the next level where the step makes that; of an edge the first.
        results: What either body has for it, None where it has nothing.
    """

    level: int
    step: str
    region: int
    results: tuple[Any, Any]

    def __str__(self) -> str:
        one, other = self.results
        return f"level {self.level}, {self.step}, region {self.region}: {one} or {other}"


class Parted(Exception):
    """Carries the difference up to `first_difference`."""


class Pair:
    """Two bodies as one: both do each step, on the same data, and must agree."""

    def __init__(self, one: Any, other: Any) -> None:
        self.one, self.other = one, other

    def do(self, step: str, level: Level, *args: Any) -> Any:
        """What both bodies make of a level; raises `Parted` if that differs."""
        result, other = (getattr(body, step)(level, *args) for body in (self.one, self.other))
        if result != other:
            raise Parted(Difference(level.number, step, *first_of(step, level, result, other)))
        return result


def first_difference(
    image: ImageLike,
    settings: Settings | None = None,
    bodies: tuple[Any, Any] = ("naive", "plain"),
) -> Difference | None:
    """The level, step and region where two bodies part on an image; None if they agree.

    Args:
        image: As `spitgraph.load_image` takes it. Loops in Python take seconds for 2¹⁷ pixels.
        settings: By default those of `SuperpixelTokenizer`.
        bodies: Names of two of `BODIES`, or objects with the steps of `naive.py`.
    """
    settings = Settings() if settings is None else settings
    one, other = (import_module(BODIES[b]) if isinstance(b, str) else b for b in bodies)
    pair, level = Pair(one, other), pixels_of(load_image(image), settings)
    try:
        while not naive.is_done(level, settings):
            level = contract_once(pair, level, settings)
    except Parted as parted:
        return parted.args[0]
    return None


def pixels_of(image: Any, settings: Settings) -> Level:
    """Level 0 of an image [3, H, W]."""
    features_q = quantise(comparison_features(image, settings.features, settings.similarity))
    return naive.pixels(features_q.t().tolist(), image.shape[1], image.shape[2])


def contract_once(pair: Pair, level: Level, settings: Settings) -> Level:
    """The steps of `naive.contract_once`, done by both bodies."""
    weight = pair.do("edge_weights", level, settings)
    loop = pair.do("self_loop_weights", level, settings)
    neighbour = pair.do("choose", level, settings, weight, loop)
    if settings.num_tokens is not None:
        surplus = len(level.size) - settings.num_tokens
        neighbour = pair.do("keep_strongest", level, weight, neighbour, surplus)
    cluster = pair.do("find_clusters", level, neighbour)
    sums, size = pair.do("pool", level, cluster)
    box = pair.do("pool_boxes", level, cluster)
    edges = pair.do("merge_edges", level, cluster)
    return Level(sums, size, box, edges, level.number + 1)


def first_of(step: str, level: Level, one: Any, other: Any) -> tuple[int, tuple[Any, Any]]:
    """The first region whose results differ, and these."""
    if step == "pool":  # sums and sizes: of each region both
        one, other = (list(zip(*result, strict=True)) for result in (one, other))
    if step == "merge_edges":  # the first edge that only one has, or one of them twice
        edge = min(set(one) ^ set(other) or set(one))
        return edge[0], (edge if edge in one else None, edge if edge in other else None)
    index = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),  # one has more
    )
    results = tuple(result[index] if index < len(result) else None for result in (one, other))
    region = level.edges[index][0] if step == "edge_weights" else index
    return region, results  # type: ignore[return-value]
