"""Labelled pictures are opened wherever they are, and refused before anything trains."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.labelled import arrays, break_file, npz_folder, picture_folder
from helpers.pictures import random_bytes
from spitgraph import UnreadableImageError
from spitgraph.train import open_pictures
from spitgraph.train.data.counts import digest
from spitgraph.train.pictures.selection import SomePictures


def test_folders_are_classes_in_order(tmp_path):
    picture_folder(tmp_path, sizes=((8, 9), (1, 1)), classes=("dog", "cat"))
    pictures = open_pictures(tmp_path, "train")
    assert pictures.classes == ("cat", "dog")
    assert pictures.labels.tolist() == [0] * 4 + [1] * 4
    assert pictures.name(5) == str(tmp_path / "train" / "dog" / "1.png")
    assert pictures.picture(4).shape == (3, 8, 9) and pictures.picture(5).shape == (3, 1, 1)
    expected = torch.from_numpy(random_bytes(8, 9, 3, seed=0)).permute(2, 0, 1)
    assert torch.equal(pictures.picture(4), expected)


def test_other_files_do_not_count(tmp_path):
    picture_folder(tmp_path)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("")
    (tmp_path / "train" / "cat" / ".hidden.png").write_text("")
    (tmp_path / "train" / ".cache").mkdir()
    assert len(open_pictures(tmp_path, "train")) == 8


def test_grey_and_deep_pictures_are_rgb_of_8_bits(tmp_path):
    picture_folder(tmp_path, each=1)
    Image.fromarray(random_bytes(4, 5)).save(tmp_path / "train" / "cat" / "grey.png")
    deep = np.full((4, 5), 65535, np.uint16)
    Image.fromarray(deep).save(tmp_path / "train" / "dog" / "deep.png")
    pictures = open_pictures(tmp_path, "train")
    grey, white = pictures.picture(1), pictures.picture(3)
    assert grey.shape == (3, 4, 5) and torch.equal(grey[0], grey[2]) and grey.is_contiguous()
    assert white.dtype == torch.uint8 and (white == 255).all()


def test_a_broken_picture_is_named(tmp_path):
    picture_folder(tmp_path)
    break_file(tmp_path / "train" / "dog" / "2.png")
    with pytest.raises(UnreadableImageError, match="dog/2.png"):
        open_pictures(tmp_path, "train").picture(6)


def test_arrays_give_what_they_hold(tmp_path):
    pictures = open_pictures(npz_folder(tmp_path), "val")
    assert pictures.classes == ("0", "1", "2") and len(pictures) == 9
    assert pictures.name(7) == f"{tmp_path / 'test.npz'}[7]"
    expected = arrays(9, seed=1)["images"][7].transpose(2, 0, 1)
    assert np.array_equal(pictures.picture(7).numpy(), expected)


def test_an_array_file_may_hold_grey_pictures_and_names(tmp_path):
    held = {"images": random_bytes(2, 3, 4), "labels": [1, 0], "classes": ["cat", "dog"]}
    np.savez(tmp_path / "own.npz", **held)
    pictures = open_pictures(tmp_path / "own.npz", "train")
    assert pictures.classes == ("cat", "dog") and pictures.labels.tolist() == [1, 0]
    assert pictures.picture(1).shape == (3, 3, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": None}, "no array 'labels', only .'images'"),
        ({"images": None}, "no array 'images'"),
        ({"labels": np.arange(23) % 3}, "24 images, and labels .23."),
        ({"labels": np.arange(24) % 3 - 1}, "not be negative, got -1 at 0"),
        ({"labels": np.arange(24) / 3}, "must be integers, got float64"),
        ({"labels": np.arange(24) % 3 * 2}, "no pictures of class '1', '3'"),
        ({"classes": ["a", "b"]}, "labels must be in 0 … 1, .* got 2 at 2"),
        ({"classes": ["a", "b", "c", "d"]}, "no pictures of class 'd'"),
        ({"images": np.zeros((24, 8, 8, 3))}, "images must be uint8, got float64"),
        ({"images": np.zeros((24, 3, 8, 8), np.uint8)}, "got .24, 3, 8, 8."),
        ({"images": np.zeros((0, 8, 8), np.uint8), "labels": np.zeros(0, int)}, "no classes"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changed, message):
    held = {name: value for name, value in {**arrays(), **changed}.items() if value is not None}
    np.savez(tmp_path / "train.npz", **held)
    with pytest.raises((ValueError, TypeError), match=message):
        open_pictures(tmp_path, "train")


def test_a_file_that_is_no_archive_is_named(tmp_path):
    (tmp_path / "train.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot read .*train.npz"):
        open_pictures(tmp_path, "train")


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no .*nowhere"):
        open_pictures(tmp_path / "nowhere", "train")
    with pytest.raises(FileNotFoundError, match="found nothing"):
        open_pictures(tmp_path, "train")
    picture_folder(tmp_path, splits=("train",))
    with pytest.raises(FileNotFoundError, match="val/ or val.npz or .* found train/"):
        open_pictures(tmp_path, "val")
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        open_pictures(tmp_path / "train" / "cat" / "0.png", "train")
    with pytest.raises(ValueError, match="split must be one of 'train', 'val', got 'test'"):
        open_pictures(tmp_path, "test")
    with pytest.raises(TypeError, match="source must be a string"):
        open_pictures(3, "train")


def test_empty_classes_are_named(tmp_path):
    picture_folder(tmp_path)
    (tmp_path / "train" / "bird").mkdir()
    with pytest.raises(ValueError, match="no pictures of class 'bird' in .*train"):
        open_pictures(tmp_path, "train")
    (tmp_path / "valid").mkdir()
    (tmp_path / "val").rename(tmp_path / "old")
    with pytest.raises(ValueError, match="no classes in .*valid"):
        open_pictures(tmp_path, "val")


def test_some_pictures_are_of_every_class_alike(tmp_path):
    pictures = open_pictures(npz_folder(tmp_path), "train")
    some = SomePictures(pictures, 9, seed=4)
    assert some.labels.bincount().tolist() == [3, 3, 3]
    assert len({some.name(index) for index in range(9)}) == 9
    assert torch.equal(some.picture(2), pictures.picture(int(some.chosen[2])))
    assert SomePictures(pictures, 9, seed=5).chosen.tolist() != some.chosen.tolist()
    with pytest.raises(ValueError, match="2 pictures are too few for 3 classes"):
        SomePictures(pictures, 2)


def test_a_changed_file_changes_the_digest(tmp_path):
    pictures = open_pictures(picture_folder(tmp_path), "train")
    before = digest(pictures, "")
    assert digest(pictures, "") == before != digest(pictures, "other")
    break_file(tmp_path / "train" / "cat" / "0.png")
    assert digest(pictures, "") != before


# ---- Hugging Face --------------------------------------------------------------------------------


class ClassLabel(SimpleNamespace):
    """As that of the library."""


class Rows(list):
    """As its data sets: rows by number, columns by name."""

    def __init__(self, rows, features):
        super().__init__(rows)
        self.features = features

    def __getitem__(self, key):
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)


@pytest.fixture
def hub(monkeypatch):
    """A library with one data set; what it holds may be changed."""
    image = type("Image", (), {})()
    kinds = {"pixels": image, "kind": ClassLabel(names=["cat", "dog"]), "id": "string"}
    colours = [Image.fromarray(random_bytes(4, 5, 3, seed=n)) for n in range(3)]
    rows = Rows([{"pixels": p, "kind": n % 2, "id": n} for n, p in enumerate(colours)], kinds)
    module = ModuleType("datasets")
    module.get_dataset_split_names = lambda name, *options: ["train", "test"]
    module.load_dataset = lambda name, *options, split: rows
    monkeypatch.setitem(sys.modules, "datasets", module)
    return rows


def test_columns_of_a_data_set_are_found_by_type(hub):
    pictures = open_pictures("hf:someone/cats", "val")
    assert pictures.classes == ("cat", "dog") and pictures.labels.tolist() == [0, 1, 0]
    assert pictures.picture(2).shape == (3, 4, 5)
    assert pictures.name(2) == "hf:someone/cats/test[2]"
    hub[1]["pixels"] = b"nothing"
    with pytest.raises(UnreadableImageError, match="cannot read hf:someone/cats/test.1."):
        pictures.picture(1)


def test_data_sets_that_do_not_fit_are_refused(hub):
    hub[0]["kind"] = -1
    with pytest.raises(ValueError, match="got -1 of hf:x/train.0."):
        open_pictures("hf:x", "train")
    hub.features["other"] = hub.features["pixels"]
    with pytest.raises(ValueError, match="one column of pictures .* found pixels, other of"):
        open_pictures("hf:x", "train")
    sys.modules["datasets"].get_dataset_split_names = lambda name, *options: ["all"]
    with pytest.raises(FileNotFoundError, match="expected train in hf:x, found all"):
        open_pictures("hf:x", "train")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"spitgraph\[datasets\]"):
        open_pictures("hf:x", "train")
