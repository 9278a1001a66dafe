"""A body that goes wrong is found: the level, the step and the region."""

import math
from types import SimpleNamespace

import pytest
import torch

from spitgraph.contraction import SIMILARITIES, naive
from spitgraph.contraction.difference import BODIES, Difference, first_difference, pixels_of
from spitgraph.settings import Settings

IMAGE = torch.rand(3, 9, 11, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", [name for name in BODIES if name != "naive"])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("wanted", [{"levels": 4}, {"num_tokens": 7, "compactness": 0.1}])
def test_bodies_agree(awkward_images, name, similarity, wanted):
    if name == "numba":
        pytest.importorskip("numba")
    settings = Settings(similarity=similarity, **wanted)
    for image in awkward_images:
        assert first_difference(image, settings, ("naive", name)) is None


def nudged(weights):
    return [*weights[:-1], math.nextafter(weights[-1], 2)]


def waiting(neighbour):
    last = len(neighbour) - 1
    return [*neighbour[:-1], last if neighbour[-1] != last else 0]


#: Ways to spoil the last entry of a step's result.
SPOIL = {
    "edge_weights": nudged,
    "self_loop_weights": lambda loops: [*loops[:-1], 0.3],
    "choose": waiting,
    "keep_strongest": waiting,
    "find_clusters": lambda cluster: [*cluster[:-1], cluster[-1] + 1],
    "pool": lambda pooled: (pooled[0], [*pooled[1][:-1], pooled[1][-1] + 1]),
    "pool_boxes": lambda boxes: [*boxes[:-1], (*boxes[-1][:3], boxes[-1][3] + 1)],
    "merge_edges": lambda edges: edges[:-1],
}


@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("step", SPOIL)
def test_a_broken_step_is_found_and_named(step, at):
    settings = Settings(num_tokens=2)

    def broken(level, *args):
        result = getattr(naive, step)(level, *args)
        return SPOIL[step](result) if level.number == at else result

    body = SimpleNamespace(**{**vars(naive), step: broken})
    level = pixels_of(IMAGE, settings)
    for _ in range(at):
        level, _ = naive.contract_once(level, settings)
    following, _ = naive.contract_once(level, settings)
    last = {
        "edge_weights": level.edges[-1][0],
        "pool": len(following.size) - 1,
        "pool_boxes": len(following.size) - 1,
        "merge_edges": following.edges[-1][0],
    }
    for bodies in (("plain", body), (body, "naive")):
        found = first_difference(IMAGE, settings, bodies)
        assert found is not None
        assert (found.level, found.step) == (at, step)
        assert found.region == last.get(step, len(level.size) - 1)
        assert found.results[0] != found.results[1]


def test_it_says_where():
    found = Difference(2, "choose", 17, (3, 5))
    assert str(found) == "level 2, choose, region 17: 3 or 5"
