"""TokenData holds one image as a graph, and batches of it give every image back."""

import copy
import io
import pickle
import subprocess
import sys

import hypothesis.strategies as st
import networkx as nx
import pytest
import torch
from hypothesis import given
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import AddRandomWalkPE, ToUndirected
from torch_geometric.utils import to_networkx

from helpers.pictures import noise
from spitgraph import PatchTokenizer, SuperpixelTokenizer, TokenData, from_partition
from spitgraph.data import tokens_from_hierarchy
from spitgraph.grid import flatten_pixels
from spitgraph.hierarchy import Hierarchy

#: Attribute → dtype and shape (API.md) of 6 tokens with 14 directed edges on an image of 5×7.
SHAPES = {
    "edge_index": (torch.int64, (2, 14)),
    "edge_attr": (torch.float32, (14, 1)),
    "pos": (torch.float32, (6, 2)),
    "size": (torch.int64, (6,)),
    "bbox": (torch.int64, (6, 4)),
    "color": (torch.float32, (6, 3)),
    "cluster": (torch.int64, (35,)),
    "pixels": (torch.float32, (35, 3)),
    "image_size": (torch.int64, (1, 2)),
}


@pytest.fixture
def patches():
    """5×7 pixels in 2×3 patches of 3."""
    return PatchTokenizer(3)(noise(5, 7))


@pytest.fixture
def images():
    """Token graphs of different sizes, depths and token counts; one is a single token."""
    return [
        SuperpixelTokenizer(levels=3)(noise(13, 9)),
        PatchTokenizer(4)(noise(6, 17, seed=1)),
        SuperpixelTokenizer(num_tokens=35)(noise(5, 7, seed=2)),  # no level at all
        SuperpixelTokenizer(num_tokens=1)(noise(8, 8, seed=3)),
        SuperpixelTokenizer(levels=1)(noise(1, 1)),
        SuperpixelTokenizer(levels=2)(noise(16, 3, seed=4)),
    ]


def saved_and_loaded(data):
    file = io.BytesIO()
    torch.save(data, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# ---- one image -----------------------------------------------------------------------------------


def test_every_attribute_has_its_type_and_shape(patches):
    patches.validate(raise_on_error=True)
    found = {name: (patches[name].dtype, tuple(patches[name].shape)) for name in SHAPES}
    assert found == SHAPES
    assert patches.x is None and "x" not in patches
    assert patches.num_nodes == 6
    assert [parent.dtype for parent in patches.parents] == [torch.int64]


def test_every_attribute_by_hand():
    #  0 0 1
    #  2 2 1
    image = torch.zeros(3, 2, 3)
    image[0] = torch.tensor([[0.0, 0.5, 1.0], [0.25, 0.75, 0.5]])
    tokens = from_partition(image, torch.tensor([[0, 0, 1], [2, 2, 1]]))
    assert tokens.edge_index.tolist() == [[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]]
    assert tokens.edge_attr.tolist() == [[1], [2], [1], [1], [2], [1]]
    assert tokens.pos.tolist() == [[0.5, 0], [2, 0.5], [0.5, 1]]
    assert tokens.size.tolist() == [2, 2, 2]
    assert tokens.bbox.tolist() == [[0, 0, 2, 1], [2, 0, 3, 2], [0, 1, 2, 2]]
    assert tokens.color.tolist() == [[0.25, 0, 0], [0.75, 0, 0], [0.5, 0, 0]]
    assert tokens.pixels[:, 0].tolist() == [0, 0.5, 1, 0.25, 0.75, 0.5]
    assert tokens.image_size.tolist() == [[2, 3]]
    assert tokens.seg.tolist() == [[[0, 0, 1], [2, 2, 1]]]
    assert [parent.tolist() for parent in tokens.parents] == [[0, 0, 1, 2, 2, 1]]
    assert tokens.partition(0).tolist() == [0, 1, 2, 3, 4, 5]
    assert tokens.partition(1).tolist() == [0, 0, 1, 2, 2, 1]


@given(data=st.data())
def test_seg_is_the_partition(label_maps, data):
    labels = data.draw(label_maps)
    image = noise(*labels.shape)
    tokens = from_partition(image, labels)
    assert torch.equal(labels.unique()[tokens.seg[0]], labels)
    assert tokens.seg.shape == (1, *labels.shape)
    assert torch.equal(tokens.pixels.t().view_as(image), image)


def test_size_is_a_tensor_that_answers_the_call_of_pyg(patches):
    assert isinstance(patches.size, torch.Tensor)
    assert patches.size.tolist() == [9, 9, 3, 6, 6, 2]
    assert patches.size() == (6, 6)
    assert patches.size(0) == patches.size(1) == 6
    assert type(patches.size * 2) is torch.Tensor
    assert type(patches["size"]) is torch.Tensor
    patches.size = torch.arange(6)
    assert torch.equal(patches.size, torch.arange(6))
    assert torch.equal(patches["size"], torch.arange(6))


@pytest.mark.parametrize(
    "made",
    [
        copy.copy,
        copy.deepcopy,
        lambda size: pickle.loads(pickle.dumps(size)),
        lambda size: saved_and_loaded({"size": size})["size"],
        torch.clone,
        lambda size: size[:],
        lambda size: torch.vmap(lambda one: one * 1)(size),
        lambda size: torch.utils.data.default_collate([size])[0],
    ],
)
def test_what_is_made_of_sizes_is_an_ordinary_tensor(patches, made):
    again = made(patches.size)
    assert type(again) is torch.Tensor
    assert torch.equal(again, patches["size"])


def test_no_graph_keeps_sizes_as_anything_but_a_tensor(patches):
    patches.other = patches.size
    patches["size"] = patches.size
    patches.update({"more": patches.size})
    made = TokenData(size=patches.size, edge_index=patches.edge_index)
    for tokens in (patches, made, copy.deepcopy(patches), saved_and_loaded(patches)):
        assert {type(value) for value in tokens.to_dict().values()} == {torch.Tensor}


def test_pixels_are_not_taken_for_edges_where_there_are_as_many():
    tokens = from_partition(noise(1, 4), torch.tensor([[0, 0, 1, 2]]))
    assert tokens.num_edges == len(tokens.cluster) == 4
    undirected = ToUndirected(reduce="mean")(tokens)
    assert torch.equal(undirected.cluster, tokens.cluster)
    assert torch.equal(undirected.pixels, tokens.pixels)
    assert {key for key in tokens.keys() if tokens.is_edge_attr(key)} == {"edge_index", "edge_attr"}  # noqa: SIM118
    pixels = tokens.to_level(0)
    assert not pixels.is_node_attr("cluster") and pixels.is_node_attr("pos")


def test_partitions_nest(awkward_image):
    tokens = SuperpixelTokenizer(levels=4)(awkward_image)
    pixels = awkward_image[0].numel()
    assert torch.equal(tokens.partition(0), torch.arange(pixels))
    assert torch.equal(tokens.partition(4), tokens.cluster)
    for level in range(4):
        finer, coarser = tokens.partition(level), tokens.partition(level + 1)
        regions = int(coarser.max()) + 1
        assert torch.equal(coarser.unique(), torch.arange(regions))
        assert len(torch.stack([finer, coarser]).unique(dim=1)[0]) == int(finer.max()) + 1


def test_to_level_is_the_image_tokenised_there(awkward_image, assert_same):
    tokens = SuperpixelTokenizer(levels=3)(awkward_image)
    for level in range(1, 4):
        assert_same(tokens.to_level(level), SuperpixelTokenizer(levels=level)(awkward_image))
    pixels = tokens.to_level(0)
    assert_same(pixels, PatchTokenizer(1)(awkward_image).to_level(0))
    assert pixels.parents == [] and pixels.num_nodes == awkward_image[0].numel()


def test_to_level_drops_token_vectors(patches):
    patches.x = torch.rand(6, 4)
    assert patches.to_level(1).x is None


def test_hierarchy_is_followed_to_its_last_level():
    parents = [torch.tensor([0, 0, 1, 2]), torch.tensor([1, 0, 0])]
    hierarchy = Hierarchy.from_parents([parents], [[4, 3, 2]])
    tokens = tokens_from_hierarchy([noise(2, 2)], hierarchy, is_batch=False)
    assert tokens.cluster.tolist() == [1, 1, 0, 0]
    assert [parent.tolist() for parent in tokens.parents] == [[0, 0, 1, 2], [1, 0, 0]]


@pytest.mark.parametrize("level", [-1, 4])
def test_no_such_level(level):
    tokens = SuperpixelTokenizer(levels=3)(noise(8, 8))
    batch = Batch.from_data_list([tokens, PatchTokenizer()(noise(4, 4))])
    for data in (tokens, batch):
        for method in (data.partition, data.to_level):
            with pytest.raises(ValueError, match=rf"level must be in 0 … 3, got {level}"):
                method(level)


def test_without_pixels(patches, assert_same):
    light = patches.without_pixels()
    assert "pixels" not in light and "pixels" in patches
    assert set(light.keys()) == set(patches.keys()) - {"pixels"}
    assert_same(light.without_pixels(), light)
    with pytest.raises(ValueError, match="to_level needs the pixels.*without_pixels"):
        light.to_level(0)


# ---- what is not there ---------------------------------------------------------------------------

DERIVED = ("tree", "parents", "seg")


def test_what_is_not_held_is_an_attribute_error():
    tokens = TokenData(x=torch.rand(3, 2), edge_index=torch.tensor([[0, 1], [1, 0]]))
    for name in (*set(SHAPES) - {"edge_index", "edge_attr", "pos"}, "hierarchy", *DERIVED, "other"):
        assert not hasattr(tokens, name) and name not in tokens
        assert getattr(tokens, name, "default") == "default"
    assert tokens.edge_attr is None and tokens.pos is None  # as of any graph of PyG's


def test_what_is_missing_is_named(patches):
    for name in ("size", "color", "pixels", "bbox", "cluster", "hierarchy", "num_levels"):
        without = copy.copy(patches)
        del without[name]
        with pytest.raises(AttributeError, match=f"the tokens have no {name} "):
            getattr(without, name)
    for derived, name in {"tree": "hierarchy", "parents": "num_levels", "seg": "cluster"}.items():
        without = copy.copy(patches)
        del without[name]
        with pytest.raises(ValueError, match=f"the tokens have no {name} "):
            getattr(without, derived)
    assert hasattr(patches, "seg") and not hasattr(Batch.from_data_list([patches] * 2), "seg")


def test_none_removes_an_attribute(patches):
    for name in ("size", "x", "color", "pixels", "parents", "cluster"):
        setattr(patches, name, None)
        assert name not in patches
    assert "hierarchy" not in patches and "level_sizes" not in patches
    patches.size = None  # which it already is
    del patches.pos
    assert patches.pos is None


def test_sizes_may_come_as_a_list(patches, unchecked):
    sizes = patches.size.tolist()
    patches.size = sizes
    assert torch.equal(patches.size, torch.tensor(sizes))
    assert patches.size() == (6, 6) and patches.cluster.max() == 5


def test_parents_are_set_and_removed(patches):
    patches.parents = [torch.arange(35), patches.cluster]
    assert len(patches.parents) == 2 and patches.num_levels.tolist() == [2]
    patches.parents = []
    assert patches.level_sizes.tolist() == []


def test_encodings_of_pyg_ask_for_the_size(patches):
    assert AddRandomWalkPE(3)(patches).random_walk_pe.shape == (6, 3)


# ---- batches -------------------------------------------------------------------------------------


def test_indexing_a_batch_gives_every_image_back(images, assert_same):
    batch = Batch.from_data_list(images)
    assert batch.num_graphs == len(images)
    for i, image in enumerate(images):
        assert type(batch[i]) is TokenData
        assert_same(batch[i], image)
        assert all(map(torch.equal, batch[i].parents, image.parents))
        assert len(batch[i].parents) == len(image.parents)
        assert torch.equal(batch[i].seg, image.seg)
    for image, again in zip(images[::-1], batch[[5, 4, 3, 2, 1, 0]], strict=True):
        assert_same(again, image)


def test_a_batch_of_batched_images_is_the_same(images, assert_same):
    batch = Batch.from_data_list(images)
    assert_same(Batch.from_data_list(batch.to_data_list()), batch)


def test_clusters_are_offset_in_a_batch(images):
    batch = Batch.from_data_list(images)
    batch.validate(raise_on_error=True)
    assert torch.equal(batch.cluster.unique(), torch.arange(batch.num_nodes))
    assert torch.equal(torch.bincount(batch.cluster), batch.size)
    assert batch.image_size.tolist() == [image.image_size[0].tolist() for image in images]
    image_of_pixel = torch.arange(len(images)).repeat_interleave(batch.image_size.prod(1))
    assert torch.equal(batch.batch[batch.cluster], image_of_pixel)


def test_parents_are_offset_in_a_batch(images):
    batch = Batch.from_data_list(images)
    deepest = max(len(image.parents) for image in images)
    assert len(batch.parents) == deepest
    expected = torch.arange(len(batch.cluster))
    assert torch.equal(batch.partition(0), expected)
    for level in range(deepest + 1):
        offset, parts = 0, []
        for image in images:
            region = image.partition(min(level, len(image.parents)))
            parts.append(region + offset)
            offset += int(region.max()) + 1
        assert torch.equal(batch.partition(level), torch.cat(parts))
        if level:
            assert torch.equal(batch.parents[level - 1][expected], torch.cat(parts))
        expected = torch.cat(parts)
    assert torch.equal(batch.partition(deepest), batch.cluster)


def test_a_batch_to_level_is_the_batch_of_its_images_there(images, assert_same):
    batch = Batch.from_data_list(images)
    for level in range(len(batch.parents) + 1):
        expected = [image.to_level(min(level, len(image.parents))) for image in images]
        assert_same(batch.to_level(level), Batch.from_data_list(expected))


def test_a_batch_of_pixel_graphs_has_no_parents(assert_same):
    pixels = [PatchTokenizer(2)(noise(h, 3)).to_level(0) for h in (2, 4)]
    batch = Batch.from_data_list(pixels)
    assert batch.parents == []
    assert torch.equal(batch.partition(0), batch.cluster)
    assert_same(batch[1], pixels[1])


def test_a_batch_is_not_one_image(images):
    batch = Batch.from_data_list(images)
    with pytest.raises(ValueError, match="seg is of one image, this is a batch of 6"):
        _ = batch.seg
    assert torch.equal(Batch.from_data_list(images[:1]).seg, images[0].seg)


def test_size_of_a_batch(images):
    batch = Batch.from_data_list(images)
    assert batch.size.tolist() == [size for image in images for size in image.size.tolist()]
    assert batch.size() == (batch.num_nodes, batch.num_nodes)


def test_a_batch_without_pixels(images, assert_same):
    batch = Batch.from_data_list(images)
    light = batch.without_pixels()
    assert "pixels" not in light
    for i, image in enumerate(images):
        assert_same(light[i], image.without_pixels())
        assert_same(batch[i], image)  # the batch itself is whole
    assert_same(light.without_pixels(), light)
    assert_same(Batch.from_data_list([i.without_pixels() for i in images]), light)


def test_images_of_a_batch_one_by_one(images):
    batch = Batch.from_data_list(images)
    for image, (pixels, cluster, size, bbox) in zip(images, batch.iter_images(), strict=True):
        assert torch.equal(flatten_pixels(pixels), image.pixels)
        assert pixels.shape[1:] == image.seg.shape[1:]
        assert torch.equal(cluster, image.cluster)
        assert torch.equal(size, image["size"]) and torch.equal(bbox, image.bbox)
        (alone,) = image.iter_images()
        assert all(map(torch.equal, alone, (pixels, cluster, size, bbox)))
    with pytest.raises(ValueError, match="without_pixels"):
        next(batch.without_pixels().iter_images())


def test_token_vectors_batch(images, assert_same):
    for image in images:
        image.x = torch.rand(image.num_nodes, 3)
    batch = Batch.from_data_list(images)
    assert batch.x.shape == (batch.num_nodes, 3)
    assert_same(batch[2], images[2])


def test_data_loader(images, assert_same):
    loader = DataLoader(images, batch_size=4)
    assert [batch.num_graphs for batch in loader] == [4, 2]
    assert_same(next(iter(loader)), Batch.from_data_list(images[:4]))


# ---- round trips ---------------------------------------------------------------------------------


def test_saved_and_loaded_with_weights_only(images, assert_same):
    for image in images:
        again = saved_and_loaded(image)
        assert type(again) is TokenData
        assert_same(again, image)
        assert again.size() == (image.num_nodes, image.num_nodes)
    batch = Batch.from_data_list(images)
    again = saved_and_loaded(batch)
    assert type(again) is type(batch)
    assert_same(again, batch)
    for i, image in enumerate(images):
        assert_same(again[i], image)
    assert len(again.parents) == len(batch.parents)


IMPORTS = (
    "import torch, spitgraph",
    "from spitgraph import TokenData; import torch",
)


@pytest.mark.parametrize("imports", IMPORTS)
def test_files_open_once_the_class_is_known(images, tmp_path, imports):
    torch.save(images[0], tmp_path / "one.pt")
    torch.save(Batch.from_data_list(images), tmp_path / "batch.pt")
    torch.save({"sizes": images[0].size, "graphs": images}, tmp_path / "several.pt")
    code = f"""{imports}
for name in ("one", "batch", "several"):
    path = {str(tmp_path)!r} + f"/{{name}}.pt"
    for options in ({{}}, {{"mmap": True}}, {{"map_location": "cpu"}}, {{"weights_only": False}}):
        torch.load(path, **options)
    with open(path, "rb") as file:
        torch.load(file)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_alone_imports_no_torch():
    code = "import sys, spitgraph; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_graph_with_a_batch_vector_stays_what_it_is():
    tokens = TokenData(x=torch.rand(3, 2), batch=torch.tensor([0, 0, 1]))
    assert type(saved_and_loaded(tokens)) is TokenData


def test_saved_after_other_transforms_looked_at_it(images, assert_same):
    for data in (images[0], Batch.from_data_list(images)):
        assert data.is_node_attr("pos") and data.is_edge_attr("edge_attr")
        again = saved_and_loaded(data)
        assert again.is_node_attr("pos") and again.is_edge_attr("edge_attr")
        assert_same(saved_and_loaded(again), data)


def test_copies(images, assert_same):
    for data in (images[0], Batch.from_data_list(images)):
        for duplicate in (data.clone(), copy.copy(data), copy.deepcopy(data)):
            assert type(duplicate) is type(data)
            assert_same(duplicate, data)
    clone = images[0].clone()
    clone.size[0] = -1
    assert images[0].size[0] > 0


def test_moved_to_a_device_and_back(images, device, assert_same):
    for data in (images[0], Batch.from_data_list(images)):
        moved = data.to(device)
        assert all(value.device.type == device.type for value in moved.to_dict().values())
        assert all(parent.device.type == device.type for parent in moved.parents)
        assert moved.partition(1).device.type == moved.to_level(1).pos.device.type == device.type
        assert_same(moved.cpu(), data)
    assert_same(Batch.from_data_list([i.to(device) for i in images])[3].cpu(), images[3])


def test_to_networkx(patches):
    graph = to_networkx(patches, node_attrs=["size", "bbox"], edge_attrs=["edge_attr"])
    grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(2, 3), ordering="sorted")
    assert set(graph.edges) == set(grid.to_directed().edges)
    assert [graph.nodes[i]["size"] for i in range(6)] == [9, 9, 3, 6, 6, 2]
    assert graph.nodes[5]["bbox"] == [6, 3, 7, 5]
    assert graph.edges[0, 1]["edge_attr"] == graph.edges[1, 0]["edge_attr"] == [3]
    assert graph.edges[5, 2]["edge_attr"] == [1]


def test_gradients_reach_the_pixels(patches):
    image = noise(5, 7).requires_grad_()
    tokens = PatchTokenizer(3)(image)
    tokens.pixels.square().sum().backward()
    assert torch.equal(image.grad, 2 * image)
    assert not tokens.color.requires_grad
