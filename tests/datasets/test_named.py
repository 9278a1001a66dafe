"""Tiny copies of the archives' layouts lead to the graphs in the style of the published ones."""

import gzip
import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.pictures import noise, random_bytes
from spitgraph import from_partition
from spitgraph.datasets import (
    ColourStatistics,
    NearestCentroids,
    cifar10_sp,
    coco_sp,
    mnist_sp,
    pascal_voc_sp,
)
from spitgraph.datasets.coco import mask_of

PICTURES = random_bytes(4, 3, 32, 32)
LABELS = np.array([3, 9, 0, 3], np.uint8)


def write_cifar_bin(folder):
    (folder / "cifar-10-batches-bin").mkdir()
    rows = np.concatenate([LABELS[:, None], PICTURES.reshape(4, -1)], axis=1)
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        rows.tofile(folder / "cifar-10-batches-bin" / f"{name}.bin")


def write_cifar_py(folder):
    (folder / "cifar-10-batches-py").mkdir()
    held = {b"data": PICTURES.reshape(4, -1), b"labels": LABELS.tolist(), b"filenames": [b"a.png"]}
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        (folder / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(held, protocol=2))


@pytest.mark.parametrize("write", [write_cifar_bin, write_cifar_py])
def test_cifar10(tmp_path, write):
    write(tmp_path)
    test = cifar10_sp(tmp_path, split="val")
    assert [int(graph.y) for graph in test] == LABELS.tolist()
    assert all(graph.num_nodes == 117 for graph in test) and test.num_features == 5
    assert torch.equal(test.picture(2), torch.from_numpy(PICTURES[2].copy()))
    assert test.classes[3] == "cat" and test.num_classes == 10
    assert len(cifar10_sp(tmp_path, num_tokens=20)) == 20


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    write_cifar_py(tmp_path)

    class Bad:
        def __reduce__(self):
            return print, ("run",)

    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps({b"data": Bad()}))
    with pytest.raises(ValueError, match="print, which is no array"):
        cifar10_sp(tmp_path, split="val")


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.mark.parametrize("place", ["", "MNIST/raw"])
def test_mnist(tmp_path, place):
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    images = random_bytes(4, 28, 28)
    (tmp_path / place / "t10k-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / place / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    graphs = mnist_sp(tmp_path, split="val")
    assert [int(graph.y) for graph in graphs] == LABELS.tolist()
    assert all(graph.num_nodes == 71 for graph in graphs)
    assert (graphs.picture(1)[2].numpy() == images[1]).all()
    (tmp_path / place / "t10k-images-idx3-ubyte").write_bytes(idx(images)[:-1])
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte is damaged"):
        mnist_sp(tmp_path, split="val")
    with pytest.raises(FileNotFoundError, match=r"expected train/ or train.npz"):
        mnist_sp(tmp_path)


def test_pascal_voc(tmp_path):
    place = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (place / name).mkdir(parents=True)
    mask = np.full((20, 24), 15, np.uint8)
    mask[:, :12], mask[0] = 0, 255
    for name in ("a", "b"):
        Image.fromarray(random_bytes(20, 24, 3)).save(place / f"JPEGImages/{name}.jpg")
        palette = Image.fromarray(mask)
        palette.putpalette(random_bytes(768).tolist())
        palette.save(place / f"SegmentationClass/{name}.png")
    (place / "ImageSets/Segmentation/train.txt").write_text("b\n")
    graphs = pascal_voc_sp(tmp_path, num_tokens=30)
    assert len(graphs) == 1 and graphs.num_classes == 21 and graphs.num_features == 14
    assert set(graphs[0].y.tolist()) <= {0, 15, 255}
    assert len(graphs[0].y) == len(graphs[0].y_share) == 30
    with pytest.raises(FileNotFoundError, match="ImageSets/Segmentation/val.txt"):
        pascal_voc_sp(tmp_path, split="val")


def write_coco(folder, objects):
    (folder / "annotations").mkdir()
    (folder / "images" / "val2017").mkdir(parents=True)
    Image.fromarray(random_bytes(10, 12, 3)).save(folder / "images/val2017/7.jpg")
    held = {
        "images": [{"id": 7, "file_name": "7.jpg", "height": 10, "width": 12}],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}],
        "annotations": [{"id": n, "image_id": 7, **one} for n, one in enumerate(objects)],
    }
    (folder / "annotations/instances_val2017.json").write_text(json.dumps(held))


def test_coco(tmp_path):
    left = {"category_id": 90, "segmentation": [[0, 0, 6, 0, 6, 10, 0, 10]], "iscrowd": 0}
    dot = {"category_id": 1, "segmentation": [[1, 1, 4, 1, 4, 4, 1, 4]], "iscrowd": 0}
    crowd = {"size": [10, 12], "counts": [0, 10, 80, 30]}
    write_coco(tmp_path, [left, dot, {"category_id": 1, "segmentation": crowd, "iscrowd": 1}])
    graphs = coco_sp(tmp_path, split="val", num_tokens=120)
    assert graphs.classes == ("background", "person", "toothbrush")
    label = graphs[0].y[graphs[0].cluster].view(10, 12)  # a token a pixel
    expected = torch.zeros(10, 12, dtype=torch.int64)
    expected[:, 9:] = 1  # the crowd, beneath
    expected[:, :6] = 2
    expected[1:4, 1:4] = 1
    assert (label == expected).float().mean() > 0.85  # a polygon's corners are a matter of rounding
    assert label[2, 2] == 1 and label[6, 3] == 2 and label[5, 7] == 0 and label[5, 10] == 1


def test_run_lengths_go_down_the_columns():
    mask = mask_of({"size": [3, 2], "counts": [1, 2, 2, 1]}, 3, 2)
    assert mask.tolist() == [[False, False], [True, False], [True, True]]


def test_objects_that_cannot_be_used_are_listed(tmp_path):
    compressed = {"category_id": 1, "segmentation": {"size": [10, 12], "counts": "x"}}
    write_coco(tmp_path, [compressed])
    with pytest.raises(ValueError, match="compressed run lengths are not read"):
        coco_sp(tmp_path, split="val", num_tokens=9)


def test_nearest_centroids_by_hand():
    tokens = from_partition(noise(1, 5), torch.arange(5)[None])
    graph = NearestCentroids(k=2)(tokens)
    assert graph.edge_index.tolist() == [
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4],
        [1, 2, 0, 2, 1, 3, 2, 4, 2, 3],
    ]
    # distances in fifths: σ is (1 + 2) / 2 at the ends, (1 + 1) / 2 elsewhere
    weight = (np.exp(-((1 / 1.5) ** 2)) + np.exp(-1)) / 2
    assert float(graph.edge_attr[0]) == pytest.approx(weight, abs=1e-6)
    assert NearestCentroids()(tokens).num_edges == 5 * 4
    one = NearestCentroids()(from_partition(noise(2, 2), torch.zeros(2, 2).long()))
    assert one.num_edges == 0 and one.edge_attr.shape == (0, 1)
    assert tokens.num_edges == 8  # what came in is as it was
    with pytest.raises(ValueError, match="one image, got a batch"):
        NearestCentroids()(from_partition([noise(1, 2)], [[[0, 1]]]))


def test_colour_statistics_by_hand():
    image = torch.tensor([[[0.0, 0.5, 1.0]]]).expand(3, 1, 3)
    x = ColourStatistics()(from_partition(image, [[0, 0, 1]])).x
    assert x.shape == (2, 14)
    expected = [*[0.25] * 3, *[0.25] * 3, *[0.5] * 3, *[0.0] * 3, 0.5 / 3, 0.0]
    assert x[0].tolist() == pytest.approx(expected)
    assert x[1, 3:6].tolist() == [0, 0, 0] and x[1, 12] == pytest.approx(2 / 3)
