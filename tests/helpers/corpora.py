"""Token graphs compared, and pictures to be tokenised."""

import io
import tarfile

import numpy as np
import torch
from PIL import Image

from helpers.pictures import random_bytes


def assert_same_graph(one, other, without=()):
    """All attributes are the same bits, those left out aside."""
    one, other = (
        {k: v for k, v in g.to_dict().items() if v is not None and k not in without}
        for g in (one, other)
    )
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == other[name].dtype and value.shape == other[name].shape, name
            assert value.numpy().tobytes() == other[name].numpy().tobytes(), name
        else:
            assert value == other[name], name


def picture(seed, height=10, width=13, format="PNG"):
    """The bytes of a picture's file."""
    file = io.BytesIO()
    Image.fromarray(random_bytes(height, width, 3, seed=seed)).save(file, format)
    return file.getvalue()


def folder_of_pictures(folder, count=10, broken=()):
    """Files in two folders, some of which cannot be read."""
    for number in range(count):
        place = folder / "ab"[number % 2] / f"{number:03d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        content = picture(number, 9 + number % 4, 12)
        place.write_bytes(content[:100] if number in broken else content)
    return folder


def tar_of(path, members):
    """A tar file of named bytes."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def nested(random, pixels, levels):
    """Parent maps at random: regions of any numbers, connected or not, none empty."""
    counts, parents = [pixels], []
    for _ in range(levels):
        count = int(random.integers(1, counts[-1] + 1))
        parent = np.concatenate([np.arange(count), random.integers(0, count, counts[-1] - count)])
        parents.append(random.permutation(parent).astype(np.int64))
        counts.append(count)
    return parents, counts
