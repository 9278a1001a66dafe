"""The compiled and the plain body of every function give the same bits, and the right ones."""

import subprocess
import sys

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from spitgraph.extensions import (
    nearest_seed,
    optional_module,
    scatter_max,
    scatter_min,
    scatter_sum,
)

seeds = st.integers(0, 2**16)


def random_segments(seed, channels):
    """Large integers [channels, n] (or [n]), the segment of each, and the number of segments."""
    generator = torch.Generator().manual_seed(seed)
    n, m = torch.randint(1, 40, (2,), generator=generator).tolist()
    shape = (n,) if channels is None else (channels, n)
    src = torch.randint(-(2**50), 2**50, shape, generator=generator)
    return src, torch.randint(m, (n,), generator=generator), m


def segments_by_loop(src, index, num_segments, start, combine):
    rows = src.view(-1, src.shape[-1]).tolist()
    out = []
    for row in rows:
        total = [start] * num_segments
        for segment, value in zip(index.tolist(), row, strict=True):
            total[segment] = combine(total[segment], value)
        out.append(total)
    return torch.tensor(out).view(*src.shape[:-1], num_segments)


@given(seed=seeds, channels=st.sampled_from([None, 1, 3]))
def test_sums_equal_a_loop(extensions, seed, channels):
    src, index, m = random_segments(seed, channels)
    expected = segments_by_loop(src, index, m, 0, lambda a, b: a + b)
    assert torch.equal(scatter_sum(src, index, m), expected)


@given(seed=seeds, channels=st.sampled_from([None, 1, 3]), start=st.sampled_from([-(2**60), 7]))
def test_extremes_equal_a_loop_and_include_what_was_there(extensions, seed, channels, start):
    src, index, m = random_segments(seed, channels)
    for scatter, combine in ((scatter_max, max), (scatter_min, min)):
        out = torch.full((*src.shape[:-1], m), start)
        assert scatter(src, index, out) is out
        assert torch.equal(out, segments_by_loop(src, index, m, start, combine))


@given(seed=seeds)
def test_extremes_of_floats(extensions, seed):
    src, index, m = random_segments(seed, None)
    src = src.double() / 3
    lowest = torch.full((m,), -torch.inf, dtype=torch.float64)
    largest = scatter_max(src, index, lowest.clone())
    for segment in range(m):
        members = src[index == segment].tolist()
        assert largest[segment].item() == max(members, default=-torch.inf)


def test_nothing_to_scatter(extensions):
    nothing = torch.empty(0, dtype=torch.int64)
    assert scatter_sum(nothing, nothing, 3).tolist() == [0, 0, 0]
    assert scatter_max(nothing, nothing, torch.tensor([4, 5])).tolist() == [4, 5]


def pixels(height, width):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=1)


@given(seed=seeds, count=st.integers(1, 30))
def test_nearest_seed_equals_brute_force(extensions, seed, count):
    generator = torch.Generator().manual_seed(seed)
    seed_positions = torch.rand(count, 2, dtype=torch.float64, generator=generator) * 14 - 0.5
    position = pixels(11, 13).double()
    squared = [
        [(x - u) ** 2 + (y - v) ** 2 for u, v in seed_positions.tolist()]
        for x, y in position.tolist()
    ]
    expected = [distances.index(min(distances)) for distances in squared]
    assert nearest_seed(position, seed_positions).tolist() == expected


@given(seed=seeds, count=st.integers(2, 12), shift=st.sampled_from([0.0, 0.5, -0.25]))
def test_of_equally_near_seeds_the_first(extensions, seed, count, shift):
    generator = torch.Generator().manual_seed(seed)
    seed_positions = torch.randint(0, 7, (count, 2), generator=generator).double() + shift
    position = pixels(7, 7).double()
    # quarters are exact in binary, and so are these squares
    squared = (position[:, None] - seed_positions).square().sum(2)
    expected = [row.index(min(row)) for row in squared.tolist()]
    assert nearest_seed(position, seed_positions).tolist() == expected


def test_many_seeds_at_many_positions(extensions):
    # more than one chunk of the plain body's distance matrix
    generator = torch.Generator().manual_seed(0)
    seed_positions = torch.rand(5000, 2, dtype=torch.float64, generator=generator) * 60
    position = pixels(60, 60).double()
    nearest = nearest_seed(position, seed_positions)
    found = (position - seed_positions[nearest]).square().sum(1).sqrt()
    smallest = torch.cdist(position, seed_positions, compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(found, smallest.amin(1), rtol=0, atol=1e-12)


def test_a_missing_module_is_none():
    assert optional_module("torch") is torch
    assert optional_module("no_such_module_anywhere") is None


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_a_module_built_for_another_torch_is_none(tmp_path, monkeypatch, error):
    name = f"raises_{error.__name__}"
    (tmp_path / f"{name}.py").write_text(f"raise {error.__name__}('undefined symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    assert optional_module(name) is None


def test_importing_is_silent():
    # PyG warns of torch-cluster where that is installed
    result = subprocess.run(
        [sys.executable, "-c", "import spitgraph"], capture_output=True, text=True, check=True
    )
    assert result.stdout + result.stderr == ""
