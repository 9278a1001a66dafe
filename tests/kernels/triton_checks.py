"""The Triton kernels against the plain path; run by test_triton.py."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spitgraph import SuperpixelTokenizer, kernels
from spitgraph import contraction as plain
from spitgraph.contraction import operator
from spitgraph.contraction.cuda import connect
from spitgraph.contraction.cuda.colour import lab_steps
from spitgraph.contraction.cuda.hierarchy import contract
from spitgraph.contraction.graph import quantise
from spitgraph.data import tokens_from_partition
from spitgraph.extractors import InterpolationExtractor
from spitgraph.extractors.interpolation import operator as vector_operator
from spitgraph.extractors.interpolation.cuda.vectors import token_vectors
from spitgraph.images import unit_rgb
from spitgraph.kernels.cuda import jit
from spitgraph.pixels import comparison_features, lab
from spitgraph.regions import describe_regions
from spitgraph.regions.cuda import describe

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
#: The interpreter takes milliseconds a program: few examples there.
EXAMPLES = 100 if torch.cuda.is_available() else 6


def hierarchies(features, sizes, levels, num_regions, similarity, compactness):
    """What the kernels make of a batch, in the form of the plain path."""
    cluster, flat, level_sizes, num_levels, counts = contract(
        torch.cat([quantise(f) for f in features], dim=1).int().to(DEVICE),
        [height for height, _ in sizes],
        [width for _, width in sizes],
        levels,
        num_regions or 0,
        similarity,
        compactness,
    )
    maps = iter(flat.cpu().split(level_sizes.tolist()))
    result = [[next(maps) for _ in range(count)] for count in num_levels]
    assert next(maps, None) is None
    start = 0
    for image, count, (height, width) in zip(result, counts, sizes, strict=True):
        token = torch.arange(height * width)
        for parent in image:
            token = parent[token]
        assert token.max() + 1 == count
        here, cluster = cluster[: token.numel()].cpu(), cluster[token.numel() :]
        assert torch.equal(here, token + start)
        start += count
    return result


def assert_as_plain(features, sizes, **arguments):
    graph = plain.level_zero(features, sizes, with_boxes=arguments["compactness"] > 0)
    expected = plain.contract(graph, **arguments)
    came = hierarchies(features, sizes, **arguments)
    assert [len(image) for image in came] == [len(image) for image in expected]
    for image, expected_image in zip(came, expected, strict=True):
        for parent, expected_parent in zip(image, expected_image, strict=True):
            assert torch.equal(parent, expected_parent)


def lab_of(images):
    return [comparison_features(image, "lab") for image in images]


def sizes_of(images):
    return [tuple(image.shape[1:]) for image in images]


@pytest.mark.parametrize("similarity", plain.SIMILARITIES)
def test_hierarchies_of_drawn_batches(small_images, similarity):
    @settings(max_examples=EXAMPLES)
    @given(
        images=st.lists(small_images, min_size=1, max_size=3),
        levels=st.integers(0, 4),
        budget=st.one_of(st.none(), st.integers(1, 12)),
        compactness=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    )
    def check(images, levels, budget, compactness):
        features = [comparison_features(image, "lab", similarity) for image in images]
        assert_as_plain(
            features,
            sizes_of(images),
            levels=levels,
            num_regions=budget,
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
        num_regions=num_regions,
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
            num_regions=num_regions,
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
            num_regions=num_regions,
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
            levels=0,
            num_regions=budget,
            similarity="distance",
            compactness=0.0,
        )


def test_too_many_pixels_and_images_are_refused():
    steps = torch.zeros(1, jit.MOST_IMAGES + 1, dtype=torch.int32, device=DEVICE)
    with pytest.raises(ValueError, match=str(jit.MOST_PIXELS)):
        contract(steps, [2**15, 1], [2**14, 1], 1, 0, "distance", 0.0)
    ones = [1] * (jit.MOST_IMAGES + 1)
    with pytest.raises(ValueError, match=f"{jit.MOST_IMAGES} images, got {len(ones)}"):
        contract(steps, ones, ones, 1, 0, "distance", 0.0)


def test_lab_steps(awkward_images):
    greys = torch.arange(256).div(255).expand(3, 1, -1)
    colours = torch.rand(3, 20, 40, generator=torch.Generator().manual_seed(3))
    for image in [greys, colours, *awkward_images]:
        assert torch.equal(
            lab_steps(image.to(DEVICE)).cpu().long(), quantise(lab(image).flatten(1))
        )


# ---- operators -----------------------------------------------------------------------------------


def implementation(operator):
    """The operator on a GPU, or else what is registered for one."""
    return operator if DEVICE.type == "cuda" else operator._backend_fns["cuda"]


@pytest.mark.parametrize("options", [{"levels": 3}, {"num_tokens": 7, "features": "spit"}])
def test_operators(awkward_images, options):
    """From bytes and floats, of mixed sizes, to token graphs, and from these to vectors."""
    images = [image for image in awkward_images if image[0].numel() >= 7]
    images[::2] = [(image * 255).round().byte() for image in images[::2]]
    tokenizer = SuperpixelTokenizer(similarity="ward", compactness=0.1, **options)
    extractor = InterpolationExtractor(3)
    with kernels.plain():
        expected = extractor(tokenizer(images))
    steps = None
    if options.get("features") == "spit":
        images = [unit_rgb(image) for image in images]
        steps = tokenizer._steps(images).to(DEVICE)
    came = implementation(operator.superpixels)(
        [image.to(DEVICE) for image in images],
        steps,
        options.get("levels", 0),
        options.get("num_tokens", 0),
        "ward",
        0.1,
    )
    assert len({value.untyped_storage().data_ptr() for value in came}) == len(came)
    counts = expected.ptr.diff()
    num_edges = expected._slice_dict["edge_index"].diff()
    names = ("pixels", "cluster", "hierarchy", "level_sizes", "num_levels", "counts")
    names += ("size", "bbox", "pos", "color", "edge_index", "edge_attr", "num_edges")
    of_batch = {**expected.to_dict(), "counts": counts, "num_edges": num_edges}
    for name, value in zip(names, came, strict=True):
        on_host = name in ("num_levels", "counts")
        assert value.device.type == ("cpu" if on_host else DEVICE.type), name
        assert value.dtype == of_batch[name].dtype, name
        assert torch.equal(value.cpu(), of_batch[name]), name

    heights, widths = expected.image_size.t().tolist()
    pixels, cluster, size, bbox = came[0], came[1], came[6], came[7]
    x = implementation(vector_operator.token_vectors)(
        pixels, cluster, size, bbox, heights, widths, counts.tolist(), 3, 0.05, True, "bilinear"
    )
    assert (x.cpu() - expected.x).abs().max() <= 1e-6 * max(1, expected.x.abs().max())


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
        images, batch = batch_of(maps)
        *came, edge_index, edge_attr, num_edges = (x.cpu() for x in describe(**batch))
        expected = [
            describe_regions(cluster, count, pixels, *size)
            for pixels, size, cluster, count, _ in images
        ]
        for value, name in zip(came, ("size", "bbox", "pos", "color"), strict=True):
            assert torch.equal(value, torch.cat([getattr(regions, name) for regions in expected]))
        edges = [
            regions.edge_index + start
            for regions, (*_, start) in zip(expected, images, strict=True)
        ]
        assert torch.equal(edge_index, torch.cat(edges, dim=1))
        assert torch.equal(edge_attr, torch.cat([regions.edge_attr for regions in expected]))
        assert num_edges.tolist() == [edge.shape[1] for edge in edges]

    check()


def assert_vectors_as_plain(maps, bins, sigma, gradient, mode):
    images, batch = batch_of(maps)
    extract = InterpolationExtractor(bins, sigma=sigma, gradient=gradient, mode=mode)
    tokens = [tokens_from_partition(pixels, *size, cluster) for pixels, size, cluster, *_ in images]
    expected = torch.cat([extract(image).x for image in tokens])
    came = token_vectors(
        size=torch.cat([image.size for image in tokens]).to(DEVICE),
        bbox=torch.cat([image.bbox for image in tokens]).to(DEVICE),
        bins=bins,
        sigma=sigma,
        gradient=gradient,
        mode=mode,
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
    )
    def check(maps, bins, sigma, gradient):
        assert_vectors_as_plain(maps, bins, sigma, gradient, mode)

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
