"""The tokenizers as PyG transforms: the same tokens, wherever PyG's own transforms work."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from helpers.labels import components
from helpers.pictures import noise, random_bytes, rgb, seeded
from spitgraph import PatchTokenizer, SuperpixelTokenizer, TokenData, VoronoiTokenizer
from spitgraph.contraction import SIMILARITIES
from spitgraph.grid import grid_graph
from spitgraph.transforms import (
    ContractSuperpixels,
    ToGridGraph,
    ToPatches,
    ToSuperpixels,
    ToVoronoi,
)

OPTIONS = [
    {},
    {"levels": 2, "compactness": 0.3, "similarity": "cosine", "features": "spit"},
    {"num_tokens": 1, "similarity": "ward", "features": rgb},
]
NAMES = ["the usual", "by levels", "by count"]


# ---- image → tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=NAMES)
def test_to_superpixels_is_the_tokenizer(options, assert_same):
    image = noise(13, 17)
    assert_same(ToSuperpixels(**options)(image), SuperpixelTokenizer(**options)(image))


def test_to_patches_is_the_tokenizer(awkward_image, assert_same):
    assert_same(ToPatches(5)(awkward_image), PatchTokenizer(5)(awkward_image))


def test_to_voronoi_is_the_tokenizer(awkward_image, assert_same):
    transform = ToVoronoi(30, generator=seeded(0))
    tokenizer = VoronoiTokenizer(30, generator=seeded(0))
    assert_same(transform(awkward_image), tokenizer(awkward_image))


TO_TOKENS = [ToSuperpixels(levels=2), ToPatches(4), ToVoronoi(9)]
FROM_IMAGES = [*TO_TOKENS, ToGridGraph()]


@pytest.mark.parametrize("transform", FROM_IMAGES, ids=repr)
def test_every_kind_of_picture_is_taken(transform, tmp_path, assert_same):
    array = random_bytes(6, 7, 3)
    picture = Image.fromarray(array)
    picture.save(tmp_path / "picture.png")
    forms = [
        torch.from_numpy(array).permute(2, 0, 1) / 255,
        array,
        picture,
        tmp_path / "picture.png",
        str(tmp_path / "picture.png"),
    ]
    results = []
    for form in forms:
        torch.manual_seed(0)
        results.append(transform(form))
    for result in results[1:]:
        assert_same(result, results[0])


@pytest.mark.parametrize("transform", TO_TOKENS, ids=repr)
def test_several_pictures_become_a_batch(transform):
    batch = transform(torch.stack([noise(6, 7), noise(6, 7, 1)]))
    assert isinstance(batch, Batch) and batch.num_graphs == 2


@pytest.mark.parametrize("transform", FROM_IMAGES, ids=repr)
def test_gradients_reach_the_image(transform):
    leaf = noise(6, 7).requires_grad_()
    transform(leaf * 0.5).pixels.sum().backward()
    assert torch.equal(leaf.grad, torch.full_like(leaf, 0.5))


@pytest.mark.parametrize("transform", FROM_IMAGES, ids=repr)
def test_the_image_is_left_alone(transform):
    image = noise(6, 7)
    before = image.clone()
    transform(image)
    assert torch.equal(image, before)


@pytest.mark.parametrize("transform", FROM_IMAGES, ids=repr)
def test_what_is_no_picture_is_refused(transform):
    with pytest.raises(ValueError, match=r"floats in \[0, 1\].*un-normalised"):
        transform(noise(4, 5) - 0.5)
    with pytest.raises(TypeError, match="expected a tensor, array, PIL image, path"):
        transform(None)


def test_to_grid_graph_takes_one_picture():
    with pytest.raises(ValueError, match="expected one image, got a batch or list of 2"):
        ToGridGraph()(torch.rand(2, 3, 4, 5))


# ---- pixel graph → tokens ------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=NAMES)
def test_an_untouched_grid_gives_the_tokenizers_tokens(awkward_image, options, assert_same):
    tokens = ContractSuperpixels(**options)(ToGridGraph()(awkward_image))
    assert type(tokens) is TokenData
    assert_same(tokens, SuperpixelTokenizer(**options)(awkward_image))


def test_edges_in_one_direction_or_repeated_or_looping_are_the_same(awkward_image, assert_same):
    data = ToGridGraph()(awkward_image)
    expected = ContractSuperpixels()(data)
    source, target = data.edge_index
    loops = torch.arange(data.num_nodes).expand(2, -1)
    shuffled = data.edge_index[:, torch.randperm(data.num_edges)]
    for edge_index in (
        data.edge_index[:, source < target],
        data.edge_index[:, source > target],
        torch.cat([loops, shuffled, data.edge_index], dim=1),
    ):
        changed = copy.copy(data)
        changed.edge_index = edge_index
        assert_same(ContractSuperpixels()(changed), expected)


def cut(data, side):
    """The graph without edges across the given sides of pixels [HW]."""
    source, target = data.edge_index
    data.edge_index = data.edge_index[:, side[source] == side[target]]
    return data


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_removed_edges_stay_borders(similarity):
    # a flat image, cut along a diagonal staircase: nothing merges across
    y, x = torch.meshgrid(torch.arange(12), torch.arange(15), indexing="ij")
    side = (y > x).long().flatten()
    data = cut(ToGridGraph()(torch.full((3, 12, 15), 0.5)), side)
    tokens = ContractSuperpixels(num_tokens=2, similarity=similarity)(data)
    assert torch.equal(tokens.cluster, side)  # pixel 0 is on side 0
    assert tokens.edge_index.tolist() == [[0, 1], [1, 0]]
    many = ContractSuperpixels(levels=9, similarity=similarity)(data)
    assert torch.equal(many.cluster, side)


def test_fewer_tokens_than_parts_are_refused():
    data = cut(ToGridGraph()(noise(4, 5)), torch.arange(20) % 5)
    assert ContractSuperpixels(num_tokens=5)(data).num_nodes == 5
    with pytest.raises(ValueError, match="unconnected parts, which cannot be .* to 4 regions"):
        ContractSuperpixels(num_tokens=4)(data)


def test_a_graph_without_edges_stays_pixels():
    data = ToGridGraph()(noise(3, 4))
    data.edge_index = data.edge_index[:, :0]
    tokens = ContractSuperpixels(levels=2)(data)
    assert torch.equal(tokens.cluster, torch.arange(12))
    assert len(tokens.parents) == 2


@given(data=st.data())
def test_regions_are_connected_in_any_graph(small_images, data):
    image = data.draw(small_images)
    graph = ToGridGraph()(image)
    keep = torch.rand(graph.num_edges, generator=seeded(0)) < 0.4
    graph.edge_index = graph.edge_index[:, keep]
    tokens = ContractSuperpixels(levels=3)(graph)
    u, v = graph.edge_index[:, tokens.cluster[graph.edge_index].diff(dim=0)[0] == 0]
    parts, part = components(graph.num_nodes, u, v)
    assert parts == tokens.num_nodes == len(np.unique([part, tokens.cluster], axis=1)[0])


# ---- features and pixels of the grid -------------------------------------------------------------


def test_node_features_are_compared_as_they_stand():
    # x cuts the picture into columns, the colours into rows
    image = torch.zeros(3, 8, 8)
    image[:, :4] = 1
    data = ToGridGraph()(image)
    data.x = (data.pos[:, :1] >= 4).float()
    columns = ContractSuperpixels(num_tokens=2, features=None)(data)
    rows = ContractSuperpixels(num_tokens=2)(data)
    assert torch.equal(columns.cluster, (data.pos[:, 0] >= 4).long())
    assert torch.equal(rows.cluster, (data.pos[:, 1] >= 4).long())
    assert torch.equal(columns.pixels, data.pixels)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_node_features_and_a_callable_agree(similarity, assert_same):
    image = noise(13, 17)
    tokens = ContractSuperpixels(features=None, similarity=similarity)(grid_graph(image))
    assert_same(tokens, SuperpixelTokenizer(features=rgb, similarity=similarity)(image))


def test_the_picture_survives_what_happens_to_x(awkward_image, assert_same):
    plain = T.Compose([ToGridGraph(), ContractSuperpixels()])
    other = T.Compose([ToGridGraph(), T.NormalizeFeatures(), T.Constant(), ContractSuperpixels()])
    assert_same(other(awkward_image), plain(awkward_image))


def test_x_is_the_picture_where_there_are_no_pixels(awkward_image, assert_same):
    data = ToGridGraph()(awkward_image)
    expected = ContractSuperpixels()(data)
    del data.pixels
    assert_same(ContractSuperpixels()(data), expected)


def test_gradients_reach_the_image_through_the_grid():
    leaf = noise(6, 7).requires_grad_()
    tokens = ContractSuperpixels(features=None)(ToGridGraph()(leaf * 0.5))
    tokens.pixels.sum().backward()
    assert torch.equal(leaf.grad, torch.full_like(leaf, 0.5))


def test_what_describes_the_image_is_handed_on(awkward_image):
    data = ToGridGraph()(awkward_image)
    data.y, data.name = torch.tensor([3]), "a picture"
    data.of_pixels, data.edge_weight = torch.rand(data.num_nodes), torch.rand(data.num_edges)
    keys = set(ContractSuperpixels()(ToGridGraph()(awkward_image)).keys())
    tokens = ContractSuperpixels()(data)
    assert set(tokens.keys()) == keys | {"y", "name"}
    assert tokens.y.tolist() == [3] and tokens.name == "a picture"
    data.y = torch.arange(data.num_nodes)  # a label for each pixel, as for segmentation
    assert torch.equal(ContractSuperpixels()(data).y, data.y)


def test_the_grid_is_left_alone(assert_same):
    data = ToGridGraph()(noise(6, 7))
    before = data.clone()
    ContractSuperpixels()(data)
    assert_same(data, before)


def changed(**attributes):
    data = ToGridGraph()(noise(4, 5))
    for name, value in attributes.items():
        data[name] = value
        if value is None:
            del data[name]
    return data


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (noise(4, 5), TypeError, "expected one graph, as of ToGridGraph, got Tensor"),
        (Batch.from_data_list([changed()] * 2), TypeError, "expected one graph.*got DataBatch"),
        (Data(x=torch.rand(20, 3)), ValueError, r"image_size \[1, 2\].*got only \['x'\]"),
        (changed(image_size=(4, 5)), ValueError, r"image_size must be .*, got \(4, 5\)"),
        (
            changed(image_size=torch.tensor([4, 5])),
            ValueError,
            r"image_size must be .*\[1, 2\], got torch.int64 \[2\]",
        ),
        (changed(image_size=torch.tensor([[4.0, 5]])), ValueError, "got torch.float32"),
        (changed(image_size=torch.tensor([[4, 6]])), ValueError, "4×6, got 20 nodes"),
        (changed(image_size=torch.tensor([[-4, -5]])), ValueError, "-4×-5, got 20 nodes"),
        (changed(pixels=torch.rand(19, 3)), ValueError, r"pixels must be \[20, 3\].*got \[19, 3\]"),
        (changed(pixels=torch.rand(20, 1)), ValueError, r"pixels must be \[20, 3\].*got \[20, 1\]"),
        (changed(pixels=torch.ones(20, 3).long()), TypeError, "pixels .* got torch.int64"),
        (changed(pixels=torch.rand(20, 3) * 9), ValueError, r"data.pixels: .*in \[0, 1\]"),
        (changed(pixels=torch.rand(20, 3) / 0), ValueError, "data.pixels: .*finite"),
        (
            changed(pixels=None, x=torch.rand(20, 3) - 0.5),
            ValueError,
            r"data.x: expected floats in \[0, 1\]",
        ),
        (changed(pixels=None, x=None), TypeError, "data.x must be .*, got NoneType"),
        (changed(edge_index=None), TypeError, "edge_index must be an int64 tensor, got NoneType"),
        (changed(edge_index=torch.rand(2, 4)), TypeError, "edge_index .* got torch.float32"),
        (changed(edge_index=torch.ones(4, 2).long()), ValueError, r"\[2, E\], got \[4, 2\]"),
        (changed(edge_index=torch.tensor([[0], [20]])), ValueError, "0 … 19, got 0 to 20"),
        (changed(edge_index=torch.tensor([[-1], [3]])), ValueError, "0 … 19, got -1 to 3"),
    ],
)
def test_wrong_graphs_are_refused(unchecked, data, error, message):
    with pytest.raises(error, match=message):
        ContractSuperpixels()(data)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (None, ValueError, "features=None compares data.x, which is not set"),
        (torch.ones(20, 3).long(), TypeError, "floating-point tensor, got torch.int64"),
        (torch.rand(19, 3), ValueError, "4×5, got 19 nodes"),
        (torch.rand(20), ValueError, r"\[20, C\].*got \[20\]"),
        (torch.full((20, 3), torch.nan), ValueError, "finite"),
    ],
)
def test_wrong_node_features_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        ContractSuperpixels(features=None)(changed(x=x))


def test_pixels_in_another_order_are_refused():
    pixels = PatchTokenizer(1)(noise(4, 5))  # a graph of pixels as well, edges and all
    for graph in (ToGridGraph()(noise(4, 5)), pixels):
        order = torch.randperm(20, generator=seeded(0))
        for changed in (
            graph.subgraph(order),
            T.FixedPoints(20, replace=False)(copy.copy(graph)),
            T.FixedPoints(20, replace=True)(copy.copy(graph)),
        ):
            with pytest.raises(ValueError, match="expected the pixels row by row"):
                ContractSuperpixels(2)(changed)


@pytest.mark.parametrize(
    "move",
    [T.Center(), T.NormalizeScale(), T.RandomFlip(0, p=1), T.RandomRotate(30), T.RandomJitter(0.1)],
)
def test_positions_may_be_moved(move, assert_same):
    graph = ToGridGraph()(noise(4, 5))
    assert_same(ContractSuperpixels(2)(move(graph)), ContractSuperpixels(2)(graph))


def test_more_tokens_than_pixels_are_refused():
    with pytest.raises(ValueError, match="num_tokens=21 is more than the 20 pixels"):
        ContractSuperpixels(num_tokens=21)(changed())


# ---- beside PyG's own ----------------------------------------------------------------------------


@pytest.mark.parametrize("transform", TO_TOKENS, ids=repr)
def test_transforms_of_pyg_follow(transform, assert_same):
    image = noise(20, 24)
    torch.manual_seed(0)
    tokens = transform(image)
    torch.manual_seed(0)
    encoded = T.Compose(
        [
            transform,
            T.NormalizeFeatures(attrs=["color"]),
            T.ToUndirected(reduce="mean"),
            T.AddLaplacianEigenvectorPE(k=2, is_undirected=True),
            T.AddRandomWalkPE(walk_length=3),
            T.Cartesian(),
        ]
    )(image)
    n = tokens.num_nodes
    assert encoded.laplacian_eigenvector_pe.shape == (n, 2)
    assert encoded.random_walk_pe.shape == (n, 3)
    assert encoded.edge_attr.shape == (tokens.num_edges, 3)
    assert torch.equal(encoded.edge_attr[:, :1], tokens.edge_attr)
    assert torch.equal(encoded.color, T.NormalizeFeatures(attrs=["color"])(tokens).color)
    assert not torch.equal(encoded.color, tokens.color)
    for name in ("edge_index", "pos", "size", "bbox", "cluster", "pixels", "hierarchy"):
        assert torch.equal(encoded[name], tokens[name])
    assert torch.equal(encoded.partition(1), tokens.partition(1))


def test_random_walks_are_those_of_the_region_graph():
    tokens = T.Compose([ToPatches(2), T.AddRandomWalkPE(walk_length=2)])(noise(2, 6))
    # a path of three: from either end back in two steps by ½, from the middle surely
    assert tokens.random_walk_pe.tolist() == [[0, 0.5], [0, 1], [0, 0.5]]


class Pictures(torch.utils.data.Dataset):
    """Pictures with labels, transformed as torchvision's datasets do."""

    def __init__(self, transform, growth=1):
        self.transform, self.growth = transform, growth

    def __len__(self):
        return 7

    def __getitem__(self, index):
        size = 10 + self.growth * index, 17 - self.growth * index
        tokens = self.transform(noise(*size, seed=index))
        tokens.y = torch.tensor([index])
        return tokens


@pytest.mark.parametrize(
    "transform",
    [
        T.Compose([ToSuperpixels(levels=3), T.AddLaplacianEigenvectorPE(k=1)]),
        T.Compose([ToGridGraph(), ContractSuperpixels(num_tokens=12, features=rgb)]),
    ],
    ids=["image", "grid"],
)
def test_in_a_data_loader_with_workers(transform, assert_same):
    torch.manual_seed(0)
    dataset = Pictures(transform)
    loader = DataLoader(dataset, batch_size=3, num_workers=2)
    batches = list(loader)
    assert [batch.y.tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    for batch in batches:
        for i in range(batch.num_graphs):
            one, other = batch[i], dataset[int(batch.y[i])]
            for tokens in (one, other):
                if "laplacian_eigenvector_pe" in tokens:  # its sign is drawn at random
                    tokens.laplacian_eigenvector_pe.abs_()
            assert_same(one, other)


def test_workers_draw_different_cells():
    # the first two batches come from one worker each
    loader = DataLoader(Pictures(ToVoronoi(6), growth=0), batch_size=1, num_workers=2)
    first, second, *_ = (batch.cluster for batch in loader)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("transform", [*FROM_IMAGES, ContractSuperpixels()], ids=repr)
def test_transforms_pickle(transform):
    assert repr(pickle.loads(pickle.dumps(transform))) == repr(transform)


def test_functional_names():
    from torch.utils.data.datapipes.iter import IterableWrapper

    pipe = IterableWrapper([noise(6, 7)])
    assert next(iter(pipe.to_grid_graph().contract_superpixels(num_tokens=5))).num_nodes == 5
    assert next(iter(pipe.to_superpixels(num_tokens=5))).num_nodes == 5
    assert next(iter(pipe.to_patches(4))).num_nodes == 4
    assert next(iter(pipe.to_voronoi(1))).num_nodes == 1


def test_repr():
    assert repr(ToGridGraph()) == "ToGridGraph()"
    assert repr(ToPatches(8)) == "ToPatches(patch_size=8)"
    assert repr(ToVoronoi(20)) == "ToVoronoi(num_tokens=20)"
    assert repr(ToSuperpixels(3, similarity="ward")) == (
        "ToSuperpixels(levels=3, compactness=0, similarity='ward', features='lab')"
    )
    assert repr(ContractSuperpixels(num_tokens=9, similarity="ward")) == (
        "ContractSuperpixels(num_tokens=9, compactness=0, similarity='ward', features='lab')"
    )
    assert repr(ContractSuperpixels(features=None)).endswith("features=None)")


def test_arguments_and_defaults_are_the_tokenizers():
    for transform, tokenizer in (
        (ToSuperpixels, SuperpixelTokenizer),
        (ContractSuperpixels, SuperpixelTokenizer),
        (ToPatches, PatchTokenizer),
        (ToVoronoi, VoronoiTokenizer),
    ):
        ours, theirs = (inspect.signature(cls).parameters for cls in (transform, tokenizer))
        assert list(ours) == list(theirs)
        assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


@pytest.mark.parametrize(
    "make",
    [
        lambda: ToSuperpixels(compactness=2),
        lambda: ToPatches(0),
        lambda: ToVoronoi(0),
        lambda: ContractSuperpixels(levels=0),
        lambda: ContractSuperpixels(features="rgb"),
    ],
)
def test_wrong_arguments_are_refused(unchecked, make):
    with pytest.raises(ValueError, match="must be"):
        make()
