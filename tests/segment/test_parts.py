"""Groups, masks at finer levels, filters: by hand, and what they keep."""

import numpy as np
import pytest
import torch

from helpers.pictures import noise, seeded
from spitgraph import PatchTokenizer, SuperpixelTokenizer, TokenData, from_partition, segment
from spitgraph.segment.solver import bistochastised, color_cells, grid_of, solved

METHODS = ["spectral", "kmeans"]


@pytest.fixture
def patches():
    return PatchTokenizer(4)(noise(24, 32))  # 48 tokens


def directions(labels, spread=0.1, seed=0):
    """Features around an axis for each label."""
    labels = torch.as_tensor(labels)
    noise = torch.randn(len(labels), 6, generator=seeded(seed))
    return torch.eye(6)[labels] + spread * noise


# ---- groups --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_obvious_groups_are_found_and_numbered_by_first_token(method, patches):
    labels = torch.tensor([2, 0, 2, 1] * 12)
    found = segment.group(directions(labels), patches, 3, method=method)
    assert torch.equal(found, torch.tensor([0, 1, 0, 2] * 12))
    assert segment.to_map(found, patches).shape == (24, 32)


@pytest.mark.parametrize("method", METHODS)
def test_groups_do_not_depend_on_the_batch_and_follow_the_seed(method):
    images = [noise(16, 20, 1), noise(12, 12, 2)]
    batch = PatchTokenizer(4)(images)
    features = torch.randn(batch.num_nodes, 6, generator=seeded(0))
    both = segment.group(features, batch, 4, method=method)
    alone = [
        segment.group(rows, PatchTokenizer(4)(image), 4, method=method)
        for rows, image in zip(features.split([20, 9]), images, strict=True)
    ]
    assert torch.equal(both, torch.cat(alone))
    drawn = [segment.group(features, batch, 4, method=method, generator=seeded(3)) for _ in "12"]
    assert torch.equal(*drawn)


@pytest.mark.parametrize("method", METHODS)
def test_there_are_no_more_groups_than_directions(method, patches):
    labels = torch.tensor([0, 1] * 24)
    found = segment.group(directions(labels, spread=0), patches, 5, method=method)
    assert torch.equal(found, labels)
    assert not segment.group(torch.ones(48, 3), patches, 5, method=method).any()
    assert not segment.group(directions(labels), patches, 1, method=method).any()


def test_bad_groups_are_refused(patches, unchecked):
    with pytest.raises(ValueError, match="k must be at least 1"):
        segment.group(torch.ones(48, 3), patches, 0)
    with pytest.raises(ValueError, match="method must be one of 'spectral', 'kmeans'"):
        segment.group(torch.ones(48, 3), patches, 2, method="ward")


# ---- finer levels --------------------------------------------------------------------------------


@pytest.fixture
def two_levels():
    """Eight pixels in a row, which are regions of level 1; tokens are the halves."""
    tokens = from_partition(torch.zeros(3, 1, 8), torch.tensor([[0] * 4 + [1] * 4]))
    tokens.parents = [torch.arange(8), torch.tensor([0] * 4 + [1] * 4)]
    assert isinstance(tokens, TokenData)
    return tokens


def test_regions_at_the_border_go_to_the_nearer_side(two_levels):
    values = torch.tensor([[1.0], [1], [0.9], [0.1], [0], [0], [0], [1]])
    mask = segment.refine_at_level(torch.tensor([True, False]), two_levels, 1, values)
    assert mask.tolist() == [[True, True, True, False, False, False, False, False]]
    inverse = segment.refine_at_level(torch.tensor([False, True]), two_levels, 1, values)
    assert torch.equal(inverse, ~mask)


def test_without_a_border_or_a_difference_masks_stay(two_levels):
    values = torch.tensor([[1.0], [1], [0.9], [0.1], [0], [0], [0], [1]])
    for side in (True, False):
        mask = segment.refine_at_level(torch.tensor([side] * 2), two_levels, 1, values)
        assert (mask == side).all()
    mask = segment.refine_at_level(torch.tensor([True, False]), two_levels, 1, 0 * values)
    assert mask.tolist() == [[True] * 4 + [False] * 4]


def test_every_level_gives_a_mask_of_the_image():
    tokens = SuperpixelTokenizer(levels=3)(noise(17, 22))
    cut = segment.normalized_cut(tokens.color - 0.5, tokens)
    pixels = tokens.pixels - 0.5
    for level in range(4):
        values = tokens.tree.pool(pixels, level)
        mask = segment.refine_at_level(cut.tokens, tokens, level, values)
        assert mask.shape == (17, 22) and mask.dtype == torch.bool
        finer = segment.token_cut(values, tokens.to_level(level), threshold=0.5)
        assert finer.shape == (17, 22)


def test_bad_levels_are_refused(two_levels, unchecked):
    mask, values = torch.tensor([True, False]), torch.zeros(8, 1)
    with pytest.raises(ValueError, match="level must be in 0 … 2"):
        segment.refine_at_level(mask, two_levels, 3, values)
    with pytest.raises(ValueError, match=r"expected values \[8, C\] of floats"):
        segment.refine_at_level(mask, two_levels, 1, values[:2])
    with pytest.raises(ValueError, match="expected mask of 2 booleans"):
        segment.refine_at_level(mask[:1], two_levels, 1, values)


# ---- filters -------------------------------------------------------------------------------------


def step(height=24, width=32, at=13):
    """Black up to a column, then white."""
    image = torch.zeros(3, height, width)
    image[:, :, at:] = 1
    return image


@pytest.mark.parametrize(
    "filtered", [lambda m, i: segment.bilateral(m, i, sigma_spatial=4.0), segment.guided]
)
def test_filters_move_borders_to_those_of_the_image(filtered):
    rough = torch.zeros(24, 32, dtype=torch.bool)
    rough[:, 16:] = True
    rough[::2, 14:] = True
    smooth = filtered(rough, step())
    assert smooth.shape == rough.shape and smooth.min() >= 0 and smooth.max() <= 1
    assert torch.equal(smooth > 0.5, step()[0] > 0.5)


def test_the_solver_keeps_what_is_constant_and_solves_its_system():
    image, target = noise(12, 15), torch.rand(12 * 15, generator=seeded(1)).double()
    cells = color_cells(image.double(), 4.0, 64.0, 64.0)
    constant = solved(torch.full_like(target, 0.3), 0.999, cells, 256.0)
    torch.testing.assert_close(constant, torch.full_like(target, 0.3))
    found = solved(target, 0.999, cells, 2.0).numpy()
    grid = grid_of(cells)
    pixels = np.bincount(grid.vertex).astype(float)
    scale, mass = bistochastised(grid.blur, pixels)
    system = 2 * (np.diag(mass) - scale[:, None] * grid.blur.toarray() * scale)
    system += 0.999 * np.diag(pixels)
    expected = np.linalg.solve(system, 0.999 * np.bincount(grid.vertex, target.numpy()))
    np.testing.assert_allclose(found, expected[grid.vertex], atol=1e-3)


def test_neighbours_of_a_grid_are_those_of_one_step():
    cells = torch.tensor([[0, 0], [1, 0], [1, 1], [3, 1], [0, 2], [0, 0]])
    grid = grid_of(cells)
    place = {tuple(cell.tolist()): int(v) for cell, v in zip(cells, grid.vertex, strict=True)}
    dense = grid.blur.toarray()
    for a, i in place.items():
        for b, j in place.items():
            steps = sum(abs(x - y) for x, y in zip(a, b, strict=True))
            assert dense[i, j] == (4 if i == j else float(steps == 1))


def test_filters_refuse_other_sizes_and_ranges(unchecked):
    for filtered in (segment.bilateral, segment.guided):
        with pytest.raises(ValueError, match=r"of the image's size \[24, 32\], got \[24, 31\]"):
            filtered(torch.zeros(24, 31), step())
        with pytest.raises(ValueError, match=r"expected values in \[0, 1\]"):
            filtered(torch.full((24, 32), 255.0), step())
