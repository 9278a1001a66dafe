"""The Triton kernels against the plain path; run by test_triton.py."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spitgraph import SuperpixelTokenizer, colour, from_partition, kernels
from spitgraph import contraction as plain
from spitgraph.contraction.cuda import connect
from spitgraph.contraction.cuda.colour import quantised_lab
from spitgraph.contraction.cuda.hierarchy import contract
from spitgraph.contraction.graph import quantise
from spitgraph.extractors import InterpolationExtractor
from spitgraph.extractors.interpolation.cuda.vectors import token_vectors
from spitgraph.images import unit_rgb
from spitgraph.kernels import limits
from spitgraph.kernels.cuda import jit
from spitgraph.pixels import comparison_features
from spitgraph.regions import cuda as regions_cuda
from spitgraph.regions import describe_image
from spitgraph.settings import Settings

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
#: The interpreter takes milliseconds a program: few examples there.
EXAMPLES = 100 if torch.cuda.is_available() else 6


def assert_as_plain(features, sizes, **arguments):
    graph = plain.level_zero(features, sizes, with_boxes=arguments["compactness"] > 0)
    settings = Settings(**arguments)
    came = contract(
        [torch.empty(3, *size, device=DEVICE) for size in sizes],
        torch.cat([quantise(f) for f in features], dim=1).int().to(DEVICE),
        settings,
    )
    assert came.counts.is_cpu and came.num_levels.is_cpu
    for one, other in zip(came, plain.contract_graph(graph, settings), strict=True):
        assert torch.equal(one.cpu(), other)


def lab_of(images):
    return [comparison_features(image, "lab") for image in images]


def sizes_of(images):
    return [tuple(image.shape[1:]) for image in images]


@pytest.mark.parametrize("similarity", plain.SIMILARITIES)
def test_hierarchies_of_drawn_batches(small_images, similarity):
    @settings(max_examples=EXAMPLES)
    @given(
        images=st.lists(small_images, min_size=1, max_size=3),
        levels=st.integers(1, 4),
        budget=st.one_of(st.none(), st.integers(1, 12)),
        compactness=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    )
    def check(images, levels, budget, compactness):
        features = [comparison_features(image, "lab", similarity) for image in images]
        assert_as_plain(
            features,
            sizes_of(images),
            levels=levels,
            num_tokens=budget,
            similarity=similarity,
            compactness=compactness,
        )

    check()


@pytest.mark.parametrize(("compactness", "num_regions"), [(0.0, None), (0.1, 9)])
def test_hierarchies_of_awkward_images(awkward_images, compactness, num_regions):
    images = [image for image in awkward_images if image[0].numel() <= 200]
    assert_as_plain(
        lab_of(images),
        sizes_of(images),
        levels=3,
        num_tokens=num_regions,
        similarity="distance",
        compactness=compactness,
    )


@pytest.mark.parametrize("num_regions", [None, 1])
def test_hierarchy_over_several_programs(num_regions):
    """More pixels, regions and edges than one program handles; long chains of regions too."""
    height, width = 16, 3 * jit.BLOCK // 16
    ramp = torch.linspace(0, 1, height * width, dtype=torch.float64).square().view(height, width)
    ramp[1::2] = ramp[1::2].flip(1)
    noise = torch.rand(2, height * width, generator=torch.Generator().manual_seed(0)).double()
    for features in (ramp.view(1, -1), noise):
        assert_as_plain(
            [features],
            [(height, width)],
            levels=3,
            num_tokens=num_regions,
            similarity="ward",
            compactness=0.0,
        )


def test_parallel_edges_that_stay_do_no_harm(monkeypatch):
    """With a table so small that most edges find no place in it."""
    few = connect.empty_slots(1, DEVICE)
    monkeypatch.setattr(connect, "empty_slots", lambda num_clusters, device: few.clone())
    image = torch.rand(3, 12, 14, generator=torch.Generator().manual_seed(1))
    for num_regions in (None, 5):
        assert_as_plain(
            lab_of([image]),
            [(12, 14)],
            levels=4,
            num_tokens=num_regions,
            similarity="distance",
            compactness=0.0,
        )


def test_self_loops_stand_aside_where_an_image_lags():
    """Squares of one size next to a large one: most regions prefer themselves."""
    features = torch.zeros(1, 8, 8, dtype=torch.float64)
    features[0] = torch.arange(8)[:, None] // 2 * 40.0 + torch.arange(8) // 2 * 9.0
    features[0, :, 4:] = 500
    for budget in range(1, 9):
        assert_as_plain(
            [features.flatten(1)],
            [(8, 8)],
            levels=4,
            num_tokens=budget,
            similarity="distance",
            compactness=0.0,
        )


def images_of(*sizes):
    """Images that take next to no memory."""
    return [torch.zeros(3, 1, 1, dtype=torch.uint8, device=DEVICE).expand(3, *s) for s in sizes]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (images_of((2**15, 2**14), (1, 1)), f"{limits.CUDA_PIXELS} pixels, got {2**29 + 1}"),
        (images_of((1, 1)) * 2**16, f"{limits.CUDA_IMAGES} images, got {2**16}"),
    ],
)
def test_too_many_pixels_and_images_are_refused(images, message):
    features_q, cluster = torch.zeros(2, 1, 1, dtype=torch.int32, device=DEVICE)
    with pytest.raises(ValueError, match=message):
        contract(images, features_q, Settings())
    with pytest.raises(ValueError, match=message):
        regions_cuda.describe_regions(images, cluster[0].long(), [1] * len(images))
    heights, widths = [image.shape[1] for image in images], [image.shape[2] for image in images]
    ones = torch.ones(len(images), 4, dtype=torch.int64, device=DEVICE)
    with pytest.raises(ValueError, match=message):
        token_vectors(
            torch.zeros(1, 3, device=DEVICE), cluster[0].long(), ones[:, 0], ones, heights, widths,
            [1] * len(images), 2, 0.05, False, "nearest",
        )  # fmt: skip


def test_quantised_lab(awkward_images):
    greys = torch.arange(256).div(255).expand(3, 1, -1)
    colours = torch.rand(3, 20, 40, generator=torch.Generator().manual_seed(3))
    for image in [greys, colours, colours**6, (colours * 255).round() / 255, *awkward_images]:
        came = quantised_lab(image.flatten(1).to(DEVICE))
        assert torch.equal(came.cpu(), colour.quantised_lab(image).flatten(1))


# ---- from images to vectors ----------------------------------------------------------------------


@pytest.mark.parametrize("dtypes", ["bytes", "floats", "both"])
@pytest.mark.parametrize("options", [{"levels": 3}, {"num_tokens": 7, "features": "spit"}])
def test_the_two_doors_lead_to_token_graphs(awkward_images, dtypes, options):
    """Images of mixed sizes, strides and dtypes; no two results share memory."""
    images = [image for image in awkward_images if image[0].numel() >= 7]
    images = [(image * 255).round().byte() for image in images]
    if dtypes != "bytes":
        images[:: 1 if dtypes == "floats" else 2] = [
            unit_rgb(image).mT.contiguous().mT
            for image in images[:: 1 if dtypes == "floats" else 2]
        ]
    wanted = Settings(similarity="ward", compactness=0.1, **options)
    with kernels.plain():
        tokens = SuperpixelTokenizer(similarity="ward", compactness=0.1, **options)(images)
    features_q = None
    if wanted.features == "spit":
        features = [comparison_features(unit_rgb(image), "spit", "ward") for image in images]
        features_q = torch.cat([quantise(f) for f in features], dim=1).int().to(DEVICE)
    images = [image.to(DEVICE) for image in images]
    hierarchy = contract(images, features_q, wanted)
    counts = tokens.ptr.diff().tolist()
    assert torch.equal(hierarchy.parent.cpu(), tokens.hierarchy)
    assert torch.equal(hierarchy.cluster.cpu(), tokens.cluster)
    assert torch.equal(hierarchy.num_levels, tokens.num_levels)
    ends = hierarchy.num_levels.add(1).cumsum(0) - 1
    assert hierarchy.counts[ends].tolist() == counts

    described = regions_cuda.describe_regions(images, hierarchy.cluster, counts)
    memory = [value.untyped_storage().data_ptr() for value in (*images, *hierarchy, *described)]
    assert len(set(memory)) == len(memory)
    num_edges = tokens._slice_dict["edge_index"].diff()
    names = ("pixels", "size", "bbox", "pos", "color", "edge_index", "edge_attr")
    expected = [*(tokens[name] for name in names), num_edges]
    for name, value, wanted in zip([*names, "num_edges"], described, expected, strict=True):
        assert value.device.type == ("cpu" if name == "num_edges" else DEVICE.type), name
        assert value.dtype == wanted.dtype, name
        assert torch.equal(value.cpu(), wanted), name


def test_no_contraction_leaves_pixels():
    image = torch.rand(3, 3, 4, device=DEVICE)
    hierarchy = contract([image], None, Settings(num_tokens=12))
    assert hierarchy.parent.numel() == 0
    assert hierarchy.counts.tolist() == [12] and hierarchy.num_levels.tolist() == [0]
    assert torch.equal(hierarchy.cluster.cpu(), torch.arange(12))


def test_images_that_are_done_wait_for_the_others():
    """Their hierarchies end where they end: no level is the identity."""
    images = [torch.rand(3, side, side, device=DEVICE) for side in (2, 8, 3)]
    hierarchy = contract(images, None, Settings(num_tokens=4))
    for counts in hierarchy.counts.split((hierarchy.num_levels + 1).tolist()):
        assert counts[-1] == 4 and (counts.diff() < 0).all()
    assert hierarchy.num_levels[0] == 0 < hierarchy.num_levels[2] < hierarchy.num_levels[1]


# ---- regions and vectors -------------------------------------------------------------------------


def numbered(labels):
    """Labels [H, W] as regions without gaps, row by row."""
    return labels.flatten().unique(return_inverse=True)[1]


def batch_of(label_maps):
    """Regions, random pixels and the counts of a batch; and the batch as the kernels take it."""
    clusters = [numbered(labels) for labels in label_maps]
    counts = [int(cluster.max()) + 1 for cluster in clusters]
    starts = [sum(counts[:image]) for image in range(len(counts))]
    generator = torch.Generator().manual_seed(len(label_maps))
    # a tenth of the values are exactly 0 or 1, where the contrast is infinitely steep
    pixels = [
        torch.rand(labels.numel(), 3, generator=generator).mul(1.2).sub(0.1).clamp(0, 1)
        for labels in label_maps
    ]
    sizes = [labels.shape for labels in label_maps]
    batch = {
        "cluster": torch.cat([c + s for c, s in zip(clusters, starts, strict=True)]).to(DEVICE),
        "pixels": torch.cat(pixels).to(DEVICE),
        "heights": [height for height, _ in sizes],
        "widths": [width for _, width in sizes],
        "counts": counts,
    }
    return list(zip(pixels, sizes, clusters, counts, starts, strict=True)), batch


def test_described_regions(label_maps):
    @settings(max_examples=2 * EXAMPLES)
    @given(maps=st.lists(label_maps, min_size=1, max_size=3))
    def check(maps):
        parts, batch = batch_of(maps)
        images = [pixels.t().unflatten(1, size).to(DEVICE) for pixels, size, *_ in parts]
        described = regions_cuda.describe_regions(images, batch["cluster"], batch["counts"])
        came_pixels, *came, edge_index, edge_attr, num_edges = (x.cpu() for x in described)
        assert torch.equal(came_pixels, batch["pixels"].cpu())
        expected = [
            describe_image(image.cpu(), cluster, count)
            for image, (_, _, cluster, count, _) in zip(images, parts, strict=True)
        ]
        for value, name in zip(came, ("size", "bbox", "pos", "color"), strict=True):
            assert torch.equal(value, torch.cat([getattr(regions, name) for regions in expected]))
        edges = [
            regions.edge_index + start for regions, (*_, start) in zip(expected, parts, strict=True)
        ]
        assert torch.equal(edge_index, torch.cat(edges, dim=1))
        assert torch.equal(edge_attr, torch.cat([regions.edge_attr for regions in expected]))
        assert num_edges.tolist() == [edge.shape[1] for edge in edges]

    check()


#: Mean and deviation by which colour is normalised, or none.
STATISTICS = {}, {"mean": (0.48, 0.46, 0.41), "std": (0.27, 0.26, 0.28)}


def assert_vectors_as_plain(maps, bins, sigma, gradient, mode, **statistics):
    images, batch = batch_of(maps)
    extract = InterpolationExtractor(bins, sigma=sigma, gradient=gradient, mode=mode, **statistics)
    tokens = [
        from_partition(pixels.t().unflatten(1, size), cluster.view(size))
        for pixels, size, cluster, *_ in images
    ]
    expected = torch.cat([extract(image).x for image in tokens])
    came = token_vectors(
        size=torch.cat([image.size for image in tokens]).to(DEVICE),
        bbox=torch.cat([image.bbox for image in tokens]).to(DEVICE),
        bins=bins,
        sigma=sigma,
        gradient=gradient,
        mode=mode,
        **statistics,
        **batch,
    ).cpu()
    assert came.shape == expected.shape
    assert (came - expected).abs().max() <= 1e-6 * max(1, expected.abs().max())


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_vectors(label_maps, mode):
    @settings(max_examples=EXAMPLES)
    @given(
        maps=st.lists(label_maps, min_size=1, max_size=2),
        bins=st.integers(2, 7),
        sigma=st.sampled_from([0.025, 0.05, 0.5]),
        gradient=st.booleans(),
        statistics=st.sampled_from(STATISTICS),
    )
    def check(maps, bins, sigma, gradient, statistics):
        assert_vectors_as_plain(maps, bins, sigma, gradient, mode, **statistics)

    check()


@pytest.mark.parametrize("name", ["bbox", "cluster"])
@pytest.mark.parametrize("wrong", [-1, 9])
def test_what_reaches_beyond_an_image_is_refused(name, wrong):
    _, batch = batch_of([torch.zeros(4, 5), torch.zeros(3, 8)])
    batch["bbox"] = torch.tensor([[0, 0, 5, 4], [0, 0, 8, 3]], device=DEVICE)
    batch["size"] = torch.tensor([20, 24], device=DEVICE)
    arguments = {"bins": 2, "sigma": 0.05, "gradient": False, "mode": "nearest"}
    token_vectors(**batch, **arguments)
    batch[name].view(-1)[1] = wrong
    with pytest.raises(ValueError, match=f"{name} reaches beyond the image"):
        token_vectors(**batch, **arguments)


def test_vectors_of_large_regions():
    """Regions of more pixels, and a lattice of more bins, than one program handles."""
    labels = torch.zeros(33, 40, dtype=torch.int64)
    labels[20:, 3:30] = 1
    labels[5, 6] = 2
    assert_vectors_as_plain([labels, labels[:7]], 17, 0.05, True, "bilinear")


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_vectors_of_normalised_colour(mode):
    labels = torch.arange(8 * 9).view(8, 9) % 5
    assert_vectors_as_plain([labels, labels[:3]], 4, 0.05, False, mode, **STATISTICS[1])
