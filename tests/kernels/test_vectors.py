"""The fused φ of the CPU against the plain one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch

from helpers.effort import examples
from helpers.labels import random_labels
from helpers.pictures import noise, noise_of_bytes
from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, from_partition
from spitgraph.extractors import InterpolationExtractor
from spitgraph.kernels import plain

pytest.importorskip("numba")

from spitgraph.extractors.interpolation.cpu.vectors import token_vectors  # noqa: E402

#: How much plain and fused vectors may differ; where they are larger than 1, of their values.
TOLERANCE = 2e-6
#: Mean and deviation by which colour is normalised.
NORMAL = {"mean": (0.48, 0.46, 0.41), "std": (0.27, 0.26, 0.28)}


def fused_vectors(
    tokens, bins=16, *, sigma=0.05, gradient=True, mode="bilinear", mean=None, std=None
):
    heights, widths = tokens.image_size.t().tolist()
    counts = tokens.ptr.diff().tolist() if "ptr" in tokens else [tokens.num_nodes]
    return token_vectors(
        tokens.pixels,
        tokens.cluster,
        tokens.size,
        tokens.bbox,
        heights,
        widths,
        counts,
        bins,
        sigma,
        gradient,
        mode,
        mean,
        std,
    )


def assert_equal_to_plain(tokens, *args, **kwargs):
    extract = InterpolationExtractor(*args, **kwargs)
    x = fused_vectors(tokens, *args, **kwargs | {"sigma": extract.sigma})
    with plain():
        expected = extract(tokens).x
    assert x.dtype == expected.dtype and x.shape == expected.shape
    error = (x - expected).abs() / expected.abs().clamp(min=1)
    assert error.max() < TOLERANCE  # also fails on NaN


def token_graph(kind, height, width, seed, eight_bit, flat):
    image = (noise_of_bytes if eight_bit else noise)(height, width, seed)
    if flat:  # gradients of 0, and values at the ends of the range
        image = (3 * image).round() / 3
    if isinstance(kind, int):
        return from_partition(image, random_labels(height, width, kind, seed))
    if kind == "superpixels":
        return SuperpixelTokenizer(1 + seed % 4)(image)
    if kind == "voronoi":
        generator = torch.Generator().manual_seed(seed)
        return VoronoiTokenizer(1 + seed % 50, generator=generator)(image)
    patch = (1, 3, 8)[seed % 3]
    return PatchTokenizer(patch)(
        noise_of_bytes(patch * (1 + height // 8), patch * (1 + width // 8), seed)
    )


@given(
    kind=st.sampled_from([1, 2, 5, 100, 10_000, "superpixels", "voronoi", "patches"]),
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    seed=st.integers(0, 2**16),
    eight_bit=st.booleans(),
    flat=st.booleans(),
    bins=st.sampled_from([2, 3, 8, 16, 17]),
    sigma=st.sampled_from([1e-3, 0.025, 0.05, 0.3, 10.0]),
    gradient=st.booleans(),
    mode=st.sampled_from(["bilinear", "nearest"]),
    statistics=st.sampled_from([{}, NORMAL]),
)
@examples(60)
def test_vectors_equal_the_plain_ones(
    kind, height, width, seed, eight_bit, flat, bins, sigma, gradient, mode, statistics
):
    tokens = token_graph(kind, height, width, seed, eight_bit, flat)
    assert_equal_to_plain(tokens, bins, sigma=sigma, gradient=gradient, mode=mode, **statistics)


def test_normalised_colour_is_that_of_the_plain_path_bit_for_bit():
    tokens = PatchTokenizer(4)(noise(12, 8))
    came = fused_vectors(tokens, 4, gradient=False, mode="nearest", **NORMAL)
    mean, std = torch.tensor(NORMAL["mean"]), torch.tensor(NORMAL["std"])
    patches = ((tokens.pixels - mean) / std).view(3, 4, 2, 4, 3).transpose(1, 2)
    assert torch.equal(came.view(3, 2, 4, 4, 4)[..., :3], patches)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_awkward_pictures(awkward_image, mode):
    height, width = awkward_image.shape[1:]
    for tokens in (
        SuperpixelTokenizer(2)(awkward_image),
        from_partition(awkward_image, torch.zeros(height, width, dtype=torch.int64)),
        from_partition(awkward_image, torch.arange(height * width).view(height, width)),
        from_partition(awkward_image, torch.arange(height * width).view(height, width) % 2),
    ):
        assert_equal_to_plain(tokens, 8, mode=mode)


@pytest.mark.parametrize("sigma", [1e-6, 100.0])
def test_extreme_widths_of_the_gaussian(sigma):
    assert_equal_to_plain(SuperpixelTokenizer(2)(noise_of_bytes(20, 30)), 5, sigma=sigma)


@pytest.mark.parametrize("bins", [15, 32, 33])
def test_whole_and_broken_tiles_of_bins(bins):
    assert_equal_to_plain(SuperpixelTokenizer(3)(noise_of_bytes(20, 30)), bins)


@pytest.mark.parametrize(("height", "width"), [(3, 700), (700, 3), (150, 131)])
def test_more_than_one_band_and_range_of_tokens(height, width):
    image = noise(height, width, seed=3)
    assert_equal_to_plain(SuperpixelTokenizer(2)(image))
    assert_equal_to_plain(from_partition(image, random_labels(height, width, 3, 0)))


def test_photographs(photos):
    from PIL import Image

    pictures = [Image.open(path).convert("RGB").resize((224, 160)) for path in photos[:3]]
    images = [torch.from_numpy(np.array(p)).permute(2, 0, 1) / 255 for p in pictures]
    assert_equal_to_plain(SuperpixelTokenizer()(images))


def test_vectors_do_not_depend_on_batch_or_threads():
    sizes = ((40, 30), (1, 1), (200, 190), (3, 50), (1, 9))
    images = [
        (noise if seed % 2 else noise_of_bytes)(*size, seed) for seed, size in enumerate(sizes)
    ]
    graphs = [SuperpixelTokenizer(2)(image) for image in images]
    graphs.append(from_partition(images[0], random_labels(40, 30, 4, 0)))
    batch = Batch.from_data_list(graphs)
    assert_equal_to_plain(batch)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            vectors = fused_vectors(batch).split([graph.num_nodes for graph in graphs])
            assert all(map(torch.equal, vectors, map(fused_vectors, graphs)))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are not listed")
def test_helping_threads_start_no_threads_of_openmp():
    """With more of them than processors, all OpenMP threads of a process would become slow."""
    script = Path(__file__).with_name("count_threads.py")
    result = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "1"


@pytest.mark.parametrize("change", ["cluster too large", "cluster negative", "bbox"])
def test_what_reaches_beyond_the_image_is_refused(change):
    tokens = PatchTokenizer(2)(noise_of_bytes(4, 6))
    if change == "bbox":
        tokens.bbox[-1, 2] += 1
    else:
        tokens.cluster[5] = 6 if change == "cluster too large" else -1
    with pytest.raises(ValueError, match=f"{change.split()[0]} reaches beyond"):
        fused_vectors(tokens)
