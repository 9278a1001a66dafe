"""Data sets of superpixel graphs: what they hold, what is kept, and what is made again."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from helpers.pictures import random_bytes
from spitgraph import InterpolationExtractor, PatchTokenizer, SuperpixelGraphs, SuperpixelTokenizer
from spitgraph.datasets import ColourAndPlace, parts
from spitgraph.labels import with_image_labels, with_pixel_labels


@pytest.fixture
def classes(tmp_path):
    """A folder of two classes of three pictures each."""
    tmp_path = tmp_path / "pictures"
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir(parents=True)
        for index in range(3):
            pixels = random_bytes(10, 11 + index, 3, seed=index)
            Image.fromarray(pixels).save(tmp_path / kind / f"{index}.png")
    return tmp_path


@pytest.fixture
def masked(tmp_path):
    """A folder of pictures and one of masks, with a frame of 255 as PASCAL's."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for index in range(3):
        Image.fromarray(random_bytes(9, 8, 3, seed=index)).save(tmp_path / f"images/{index}.png")
        mask = random_bytes(9, 8, seed=index) % 3
        mask[0] = 255
        picture = Image.fromarray(mask)
        if index:
            picture.putpalette(random_bytes(768, seed=1).tolist())  # of mode P from here on
        picture.save(tmp_path / f"masks/{index}.png")
    return tmp_path


def test_graphs_are_what_the_tokenizer_makes(classes, assert_same):
    graphs = SuperpixelGraphs(classes, num_tokens=9)
    assert len(graphs) == 6 and graphs.classes == ("cat", "dog") and graphs.num_classes == 2
    assert repr(graphs).startswith("SuperpixelGraphs(6, SuperpixelTokenizer(num_tokens=9")
    for index, graph in enumerate(graphs):
        path = classes / ("cat", "dog")[index // 3] / f"{index % 3}.png"
        tokens = SuperpixelTokenizer(num_tokens=9)(path)
        expected = ColourAndPlace()(with_image_labels(tokens, index // 3)).without_pixels()
        expected.picture = torch.tensor([index])
        assert_same(graph, expected)
        assert torch.equal(
            graphs.picture(index), torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)
        )
        assert graph.seg.shape == (1, 10, 11 + index % 3)
        assert torch.equal(graph.partition(0), torch.arange(graph.cluster.numel()))


def test_what_is_kept_is_read_and_another_setting_is_another(classes, monkeypatch):
    first = SuperpixelGraphs(classes, num_tokens=9)
    monkeypatch.setattr(SuperpixelGraphs, "make", None)  # nothing is made from here on
    again = SuperpixelGraphs(classes, num_tokens=9)
    assert torch.equal(again.x, first.x) and again.unreadable == []
    with pytest.raises(TypeError):
        SuperpixelGraphs(classes, num_tokens=8)
    with pytest.raises(TypeError):
        SuperpixelGraphs(classes, num_tokens=9, force_reload=True)
    monkeypatch.undo()
    assert len(SuperpixelGraphs(classes, num_tokens=9)) == 6
    Image.fromarray(random_bytes(12, 12, 3)).save(classes / "cat" / "0.png")
    changed = SuperpixelGraphs(classes, num_tokens=9)
    assert not torch.equal(changed.x, first.x)
    about = json.loads((classes / ".spitgraph" / changed._digest / "graphs.json").read_text())
    assert about["spitgraph"]["graph"] == "regions" and about["pictures"] == 6


def test_what_was_interrupted_goes_on(classes, monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "AT_A_TIME", 2)
    whole = SuperpixelGraphs(classes, tmp_path / "whole", num_tokens=9)
    made, make = [], SuperpixelGraphs.make

    def interrupted(self, index):
        if index == 3 and 3 not in made:
            made.append(3)
            raise KeyboardInterrupt
        made.append(index)
        return make(self, index)

    monkeypatch.setattr(SuperpixelGraphs, "make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        SuperpixelGraphs(classes, tmp_path / "parts", num_tokens=9)
    assert not list((tmp_path / "parts").glob("*/graphs.pt"))
    resumed = SuperpixelGraphs(classes, tmp_path / "parts", num_tokens=9)
    assert made == [0, 1, 2, 3, 2, 3, 4, 5]
    assert len(resumed) == 6
    for one, other in zip(resumed, whole, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in other.keys())  # noqa: SIM118
    assert not list((tmp_path / "parts").rglob("parts/*"))


def test_pictures_that_cannot_be_read_are_listed(classes):
    (classes / "cat" / "1.png").write_bytes(b"no picture")
    graphs = SuperpixelGraphs(classes, num_tokens=9)
    assert len(graphs) == 5
    assert torch.cat([graph.picture for graph in graphs]).tolist() == [0, 2, 3, 4, 5]
    ((name, reason),) = graphs.unreadable
    assert name.endswith("1.png") and "1.png" in reason
    again = SuperpixelGraphs(classes, num_tokens=9)
    assert again.unreadable == graphs.unreadable


def test_masks_become_labels_of_tokens(masked):
    graphs = SuperpixelGraphs(masked / "images", labels=masked / "masks", num_tokens=12)
    assert graphs.num_classes == 3
    for index, graph in enumerate(graphs):
        mask = np.array(Image.open(masked / f"masks/{index}.png"))
        assert (mask[0] == 255).all()
        expected = with_pixel_labels(graph, mask)
        assert torch.equal(graph.y, expected.y) and torch.equal(graph.y_share, expected.y_share)
        assert graph.y.shape == (12,)


def test_transforms_as_pyg_has_them(classes):
    def few(graph):
        return int(graph.y) == 1

    def tag(graph):
        graph.tag = torch.tensor([7])
        return graph

    graphs = SuperpixelGraphs(
        classes, num_tokens=9, pre_filter=few, pre_transform=tag, transform=lambda g: g.num_nodes
    )
    assert len(graphs) == 3 and list(graphs) == [9, 9, 9]
    assert graphs.get(0).tag.tolist() == [7]
    with pytest.raises(ValueError, match="no graphs of 6 pictures, none passed pre_filter"):
        SuperpixelGraphs(classes, num_tokens=9, pre_filter=lambda graph: False)


@pytest.mark.parametrize(
    ("options", "width"),
    [
        ({"features": "colour"}, 5),
        ({"features": "statistics", "pixels": True}, 14),
        ({"features": "vectors"}, InterpolationExtractor(8).out_channels),
        ({"features": InterpolationExtractor(2), "graph": "knn", "k": 3}, 20),
        ({"features": "none"}, 0),
        ({"partition": "slic", "features": "colour"}, 5),
        ({"partition": PatchTokenizer(4), "num_tokens": None}, 5),
    ],
    ids=str,
)
def test_options(classes, options, width):
    if options.get("partition") == "slic":
        pytest.importorskip("skimage")
    graphs = SuperpixelGraphs(classes, **{"num_tokens": 9, **options})
    assert graphs.num_features == width
    batch = next(iter(DataLoader(graphs, batch_size=6)))
    assert batch.y.tolist() == [0, 0, 0, 1, 1, 1]
    assert ("pixels" in batch) == bool(options.get("pixels"))
    if options.get("graph") == "knn":
        assert batch.num_edges == 6 * 9 * 3
    assert torch.equal(Batch.from_data_list(list(graphs)).cluster, batch.cluster)


def test_a_split_and_arrays(tmp_path):
    images = random_bytes(4, 6, 6, 3)
    for split in ("train", "test"):
        np.savez(tmp_path / f"{split}.npz", images=images, labels=np.arange(4) % 2)
    train = SuperpixelGraphs(tmp_path, split="train", num_tokens=4)
    held = SuperpixelGraphs(tmp_path / "train.npz", num_tokens=4)
    assert torch.equal(train.x, held.x) and train.root == held.root
    assert len(SuperpixelGraphs(tmp_path, split="val", num_tokens=4)) == 4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": "nowhere"}, FileNotFoundError, "folder of masks, there is none"),
        ({"labels": None, "split": "val"}, ValueError, "split goes with labels='classes'"),
        ({"partition": "seeds"}, ValueError, "one of 'superpixel', 'slic'"),
        ({"partition": PatchTokenizer(), "num_tokens": 3}, ValueError, "partitions by name"),
        ({"features": "hog"}, ValueError, "features must be one of"),
        ({"graph": "delaunay"}, ValueError, "graph must be one of 'regions', 'knn'"),
        ({"pixels": 1}, TypeError, "pixels must be True or False"),
        ({"num_tokens": 1000}, ValueError, "0.png: num_tokens=1000 is more than the 72 pixels"),
        (
            {"partition": SuperpixelTokenizer(features=lambda image: image)},
            ValueError,
            "does not tell what it makes",
        ),
    ],
)
def test_what_does_not_fit_is_refused(unchecked, masked, options, error, message):
    with pytest.raises(error, match=message):
        SuperpixelGraphs(masked / "images", **{"labels": masked / "masks", **options})


def test_missing_pictures_and_masks(masked, tmp_path):
    (masked / "masks" / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match="for 1 of 3 pictures, such as 1.png"):
        SuperpixelGraphs(masked / "images", labels=masked / "masks")
    with pytest.raises(ValueError, match="there are no pictures in"):
        SuperpixelGraphs(tmp_path, labels=None)  # there are in folders of it, but none in itself
    with pytest.raises(FileNotFoundError, match="folder of classes, there is none"):
        SuperpixelGraphs(tmp_path / "none")
