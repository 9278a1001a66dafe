"""The contraction against METHOD section 2 written out in plain Python: dictionaries and loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph.contraction import contract, level_zero

STEP = 2**-20


def priority(u: int, v: int) -> int:
    """splitmix64 of the pair, as a signed number."""
    mask = 2**64 - 1
    x = (u << 32 | v) & mask
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
    x ^= x >> 31
    return x - 2**64 if x >= 2**63 else x


class Region:
    def __init__(self, pixels: list[tuple[int, int]], values: dict) -> None:
        self.pixels = sorted(pixels)  # (y, x): the first is the first in reading order
        self.size = len(pixels)
        channels = len(next(iter(values.values())))
        self.mean = [sum(values[p][c] for p in pixels) / self.size * STEP for c in range(channels)]

    def box_fill(self, other: "Region | None" = None) -> float:
        pixels = self.pixels + (other.pixels if other else [])
        height = 1 + max(y for y, _ in pixels) - min(y for y, _ in pixels)
        width = 1 + max(x for _, x in pixels) - min(x for _, x in pixels)
        return min(1.0, 4 * len(pixels) / (height + width) ** 2)

    def touches(self, other: "Region") -> bool:
        mine = set(self.pixels)
        return any(
            (y + dy, x + dx) in mine
            for y, x in other.pixels
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))
        )


def similarity(u: Region, v: Region, name: str) -> float:
    if name == "cosine":
        lengths = math.sqrt(sum(a * a for a in u.mean)) * math.sqrt(sum(a * a for a in v.mean))
        dot = sum(a * b for a, b in zip(u.mean, v.mean, strict=True))
        return (dot / lengths + 1) / 2 if lengths else 0.5
    distance = sum((a - b) ** 2 for a, b in zip(u.mean, v.mean, strict=True))
    if name == "ward":
        return 1 / (1 + 2 * (u.size * v.size / (u.size + v.size) * distance))
    return 1 / (1 + 12 * distance)


def contract_by_hand(
    regions: list[Region], values: dict, name: str, lam: float, at_most: int | None
) -> list[Region]:
    """One step of METHOD 2.1–2.5, and 2.7 with `at_most`, the number of edges to apply."""
    edges = {
        (i, j): lam * u.box_fill(v) + (1 - lam) * similarity(u, v, name)
        for i, u in enumerate(regions)
        for j, v in enumerate(regions)
        if i < j and u.touches(v)
    }
    m = sum(r.size for r in regions) / len(regions)
    s = math.sqrt(max(sum(r.size**2 for r in regions) / len(regions) - m * m, 0))
    picks = {}
    for i in range(len(regions)):
        mine = [(w, priority(*e), e) for e, w in edges.items() if i in e]
        if mine:
            picks[i] = max(mine)
    waiting = set()
    for i, region in enumerate(regions):
        if region.size > 1 and s > 0 and i in picks:
            loop = (min(max((region.size - m) / s, -0.75), 0.75) + 1) / 2
            if lam * region.box_fill() + (1 - lam) * loop > picks[i][0]:
                waiting.add(i)
    if at_most is None or 2 * (len(picks) - len(waiting)) >= len(regions):
        picks = {i: pick for i, pick in picks.items() if i not in waiting}
    chosen = sorted(set(picks.values()), reverse=True)[:at_most]
    label = list(range(len(regions)))
    for _, _, (i, j) in chosen:
        label = [label[i] if x == label[j] else x for x in label]
    merged = {}
    for x, region in zip(label, regions, strict=True):
        merged.setdefault(x, []).extend(region.pixels)
    return sorted((Region(p, values) for p in merged.values()), key=lambda r: r.pixels[0])


def partition_by_hand(features, levels, count, name, lam):
    height, width = features.shape[1:]
    pixels = [(y, x) for y in range(height) for x in range(width)]
    values = {(y, x): [round(f / STEP) for f in features[:, y, x].tolist()] for y, x in pixels}
    regions = [Region([p], values) for p in pixels]
    maps = []
    while (len(maps) < levels) if count is None else (len(regions) > count):
        at_most = None if count is None else len(regions) - count
        regions = contract_by_hand(regions, values, name, lam, at_most)
        where = {p: i for i, region in enumerate(regions) for p in region.pixels}
        maps.append([where[p] for p in pixels])
    return maps


@pytest.mark.parametrize("name", ["distance", "ward", "cosine"])
@pytest.mark.parametrize("lam", [0.0, 0.1, 1.0])
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    seed=st.integers(0, 2**31),
    shades=st.sampled_from([1, 2, 3, 1000]),
    share=st.one_of(st.none(), st.floats(0, 1)),
)
def test_partitions_equal_the_method_written_out(name, lam, size, seed, shades, share):
    height, width = size
    rng = torch.Generator().manual_seed(seed)
    features = torch.randint(-shades, shades + 1, (2, *size), generator=rng).double() / shades
    count = None if share is None else 1 + round(share * (height * width - 1))
    [parents] = contract(
        level_zero([features.flatten(1)], [size], with_boxes=lam > 0),
        levels=3,
        num_regions=count,
        similarity=name,
        compactness=lam,
    )
    expected = partition_by_hand(features, 3, count, name, lam)
    region = torch.arange(height * width)
    assert len(parents) == len(expected)
    for parent, by_hand in zip(parents, expected, strict=True):
        region = parent[region]
        assert region.tolist() == by_hand
